#include "engine/hook.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
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

struct Ended {
  int status = 0;  // As of waitpid().
  bool in_time = true;
  std::string said = {};  // The first line of its standard error.
};

// What there is to be read of a pipe that does not block, but not for ever; no more is kept than is of use.
void take(int fd, std::string& heard) {
  std::array<char, 4096> buffer{};
  ssize_t bytes = 0;
  for (int times = 0; times < 64 && (bytes = read(fd, buffer.data(), buffer.size())) > 0; ++times)
    heard.append(buffer.data(), std::min(static_cast<size_t>(bytes), kErrorBytesMax - std::min(heard.size(), kErrorBytesMax)));
}

// Until the program ends, whatever goes on of what it has started; killed, with all of that, if it has not by `deadline`.
Ended wait_for(pid_t process, const pmem::UniqueFd& hears, Deadline deadline) {
  Ended ended;
  std::string heard;
  // By its number: the header of glibc 2.36 declares pidfd_open() for C only.
  const pmem::UniqueFd life(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  pid_t gone = 0;
  while ((gone = waitpid(process, &ended.status, WNOHANG)) == 0 && !deadline.passed()) {
    // Without the pipe, which stays readable once nobody holds its other end: the program may close it and go on.
    pollfd waiting{life.get(), POLLIN, 0};
    take(hears.get(), heard);
    const auto left = std::chrono::ceil<milliseconds>(deadline.left()).count();
    (void)poll(&waiting, life ? 1 : 0, static_cast<int>(std::min<int64_t>(left, life ? 100 : 10)));
  }
  if (gone == 0) {
    ended.in_time = false;
    kill(-process, SIGKILL);
    while ((gone = waitpid(process, &ended.status, 0)) < 0 && errno == EINTR) continue;
  }
  if (gone < 0) ended.status = 1 << 8;  // Nobody knows what it said: it does not count as a yes.
  take(hears.get(), heard);
  ended.said = heard.substr(0, heard.find('\n'));
  return ended;
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
  if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0)
    return error_from_errno(Errc::kIo, "a pipe for " + program, errno);
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
  sigset_t ignored;  // By this daemon, and by nobody who counts on them.
  sigemptyset(&ignored);
  sigaddset(&ignored, SIGPIPE);
  sigaddset(&ignored, SIGIO);
  posix_spawnattr_setsigdefault(&attributes, &ignored);
  posix_spawnattr_setpgroup(&attributes, 0);  // A group of its own, so that all of it can be ended.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
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
  const auto [status, in_time, said] = wait_for(process, hears, Deadline::after(allowed));
  if (!in_time) return refuse(fmt::format("did not end within {} ms", allowed.count()));
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Done{};
  if (WIFSIGNALED(status)) return refuse(fmt::format("was ended by signal {}", WTERMSIG(status)));
  return refuse(fmt::format("refuses (exit code {}){}{}", WEXITSTATUS(status), said.empty() ? "" : ": ", said));
}

}  // namespace godwit::engine
