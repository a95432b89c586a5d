#include "engine/hook.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/log.hpp"
#include "pmem/unique_fd.hpp"

extern char** environ;

namespace godwit::engine {
namespace {

constexpr size_t kErrorBytesMax = 4096;

// What it writes to its standard error, until it closes it or the time is over.
std::string listen_to(int fd, Deadline deadline) {
  std::string heard;
  std::array<char, 1024> buffer{};
  while (!deadline.passed()) {
    pollfd waiting{fd, POLLIN, 0};
    const auto left = std::chrono::ceil<milliseconds>(deadline.left()).count();
    if (poll(&waiting, 1, static_cast<int>(std::min<int64_t>(left, 1000))) == 0) continue;
    const ssize_t bytes = read(fd, buffer.data(), buffer.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) break;
    heard.append(buffer.data(), std::min(static_cast<size_t>(bytes), kErrorBytesMax - std::min(heard.size(), kErrorBytesMax)));
  }
  return heard.substr(0, heard.find('\n'));
}

// Its exit status, once it has ended; killed, with what it started, if it has not in time.
int await(pid_t process, Deadline deadline, bool& in_time) {
  int status = 0;
  in_time = true;
  for (;;) {
    const pid_t ended = waitpid(process, &status, in_time ? WNOHANG : 0);
    if (ended == process || (ended < 0 && errno != EINTR)) return status;
    if (in_time && deadline.passed()) {
      in_time = false;
      kill(-process, SIGKILL);
      continue;
    }
    usleep(1000);
  }
}

}  // namespace

Result<> run_hook(const std::string& program, const std::vector<std::pair<std::string, std::string>>& variables,
                  milliseconds allowed) {
  if (program.empty()) return Done{};
  std::vector<std::string> added;
  for (const auto& [name, value] : variables) added.push_back(name + "=" + value);
  std::vector<char*> environment;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.push_back(*variable);
  for (std::string& variable : added) environment.push_back(variable.data());
  environment.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return error_from_errno(Errc::kIo, "a pipe for " + program, errno);
  const pmem::UniqueFd hears(ends[0]);
  pmem::UniqueFd says(ends[1]);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&files, says.get(), STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);  // libfabric's sockets are not all closed on exec.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setpgroup(&attributes, 0);  // A group of its own, so that all of it can be ended.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::string name = program;
  char* arguments[] = {name.data(), nullptr};
  pid_t process = -1;
  const int failed = posix_spawn(&process, program.c_str(), &files, &attributes, arguments, environment.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  const auto refuse = [&](const std::string& why) {
    return Error{Errc::kDenied, fmt::format("the operator's program '{}' {}", log::printable(program), log::printable(why))};
  };
  if (failed != 0) return refuse("cannot be run: " + std::generic_category().message(failed));
  says = pmem::UniqueFd();
  const auto deadline = Deadline::after(allowed);
  const std::string said = listen_to(hears.get(), deadline);
  bool in_time = true;
  const int status = await(process, deadline, in_time);
  if (!in_time) return refuse(fmt::format("did not end within {} ms", allowed.count()));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Done{};
  if (WIFSIGNALED(status)) return refuse(fmt::format("was ended by signal {}", WTERMSIG(status)));
  return refuse(fmt::format("refuses (exit code {}){}{}", WEXITSTATUS(status), said.empty() ? "" : ": ", said));
}

}  // namespace godwit::engine
