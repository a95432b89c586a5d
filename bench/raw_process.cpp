#include "bench/raw_process.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fabric/raw_loop.hpp"
#include "fabric/version.hpp"

namespace godwit::bench {
namespace {

struct Outcome {
  int status;
  std::string output;
};

// Runs ourselves with these arguments, and returns what it said on standard output.
Outcome run_self(const std::vector<std::string>& arguments) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("pipe failed");
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], STDOUT_FILENO);
    close(ends[0]);
    close(ends[1]);
    execv("/proc/self/exe", raw.data());
    _exit(127);
  }
  close(ends[1]);
  Outcome outcome{0, {}};
  char buffer[512];
  for (ssize_t got; (got = read(ends[0], buffer, sizeof buffer)) > 0;) outcome.output.append(buffer, static_cast<size_t>(got));
  close(ends[0]);
  if (child < 0 || waitpid(child, &outcome.status, 0) != child) throw std::runtime_error("fork failed");
  return outcome;
}

}  // namespace

RawRun raw_like_product(const std::string& provider, const std::string& host, bool is_read, uint64_t object_bytes,
                        uint64_t total_bytes, uint64_t block_bytes, uint32_t depth) {
  RawRun run{provider, host, is_read, std::min(object_bytes, block_bytes), 0, depth, 0};
  run.operations = std::max<uint64_t>(1, total_bytes / run.operation_bytes);
  run.span_bytes = run.bytes();
  return run;
}

double run_raw(const RawRun& run) {
  const Outcome outcome = run_self({"godwit-bench", kRawProcess, run.provider, run.host, run.is_read ? "read" : "write",
                                    std::to_string(run.operation_bytes), std::to_string(run.operations),
                                    std::to_string(run.depth), std::to_string(run.span_bytes)});
  if (outcome.status != 0) throw std::runtime_error("the raw loop failed: " + outcome.output);
  return std::stod(outcome.output);
}

std::string raw_process_version() {
  const Outcome outcome = run_self({"godwit-bench", kRawProcess, "version"});
  if (outcome.status != 0) throw std::runtime_error("cannot tell libfabric's version");
  return outcome.output;
}

int raw_process_main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[2]) == "version") {
    fmt::print("{}", fabric::libfabric_version());
    return 0;
  }
  if (argc != 9) return 2;
  fabric::RawLoopSettings settings;
  settings.provider = argv[2];
  settings.host = argv[3];
  settings.operation = std::string(argv[4]) == "read" ? fabric::RawOperation::kRead : fabric::RawOperation::kWrite;
  settings.operation_bytes = std::strtoull(argv[5], nullptr, 10);
  settings.operations = std::strtoull(argv[6], nullptr, 10);
  settings.depth = static_cast<uint32_t>(std::strtoul(argv[7], nullptr, 10));
  settings.span_bytes = std::strtoull(argv[8], nullptr, 10);
  settings.silence = milliseconds(60000);  // Touching the memory takes its time on a busy machine.
  const auto result = fabric::run_raw_loop(settings);
  if (!result) {
    fmt::print("{}", result.error().text);
    return 1;
  }
  fmt::print("{:.9f}", result->seconds);
  return 0;
}

}  // namespace godwit::bench
