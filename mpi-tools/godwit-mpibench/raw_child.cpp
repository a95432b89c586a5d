#include "godwit-mpibench/raw_child.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "common/process.hpp"

namespace godwit::mpibench {
namespace {

// What it printed. The process dies with us.
std::string output_of_bench(std::vector<std::string> arguments) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").parent_path() / "godwit-bench";
  arguments.insert(arguments.begin(), {program, "raw-process"});
  std::vector<char*> raw;
  for (std::string& argument : arguments) raw.push_back(argument.data());
  raw.push_back(nullptr);
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    tools::use_all_processors();
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execv(program.c_str(), raw.data());
    _exit(127);
  }
  close(ends[1]);
  std::string output;
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) output.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) throw std::runtime_error("fork failed");
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
    throw std::runtime_error(fmt::format("cannot run {}; is it beside this program?", program));
  if (status != 0) throw std::runtime_error("the raw loop failed: " + output);
  return output;
}

}  // namespace

double run_raw_loop(const RawLoop& loop) {
  // As much memory as moves: the placement that Godwit has.
  const uint64_t span_bytes = loop.operation_bytes * loop.operations;
  return std::stod(
      output_of_bench({loop.provider, loop.host, loop.is_read ? "read" : "write", std::to_string(loop.operation_bytes),
                       std::to_string(loop.operations), std::to_string(loop.depth), std::to_string(span_bytes)}));
}

std::string libfabric_version() { return output_of_bench({"version"}); }

}  // namespace godwit::mpibench
