#include "support/munged.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "support/waiting.hpp"

namespace godwit::test {
namespace {

constexpr const char* kProgram = "/usr/sbin/munged";

}  // namespace

bool Munged::is_installed() { return access(kProgram, X_OK) == 0; }

Munged::Munged(char key_byte) {
  const std::string& at = directory_.path();
  chmod(at.c_str(), 0711);
  const std::string key = at + "/key";
  {
    std::ofstream file(key, std::ios::binary);
    file << std::string(128, key_byte);
  }
  chmod(key.c_str(), 0600);
  std::vector<std::string> arguments{kProgram,
                                     "--foreground",
                                     "--force",
                                     "--num-threads=2",
                                     "--socket=" + socket(),
                                     "--key-file=" + key,
                                     "--log-file=" + at + "/log",
                                     "--pid-file=" + at + "/pid",
                                     "--seed-file=" + at + "/seed"};
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const std::string output = at + "/output";
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(126);
    const int file = open(output.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || dup2(file, STDOUT_FILENO) < 0 || dup2(file, STDERR_FILENO) < 0) _exit(126);
    execv(argv[0], argv.data());
    _exit(127);
  }
  const bool answers = comes_true([&] { return std::filesystem::exists(socket()) || waitpid(pid_, nullptr, WNOHANG) == pid_; },
                                  std::chrono::seconds(20)) &&
                       std::filesystem::exists(socket());
  if (answers) return;
  std::ostringstream said;
  said << std::ifstream(output).rdbuf() << std::ifstream(at + "/log").rdbuf();
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  throw std::runtime_error("munged did not start:\n" + said.str());
}

Munged::~Munged() {
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

}  // namespace godwit::test
