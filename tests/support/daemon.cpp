#include "support/daemon.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <thread>

#include "support/bytes.hpp"
#include "support/waiting.hpp"

namespace godwit::test {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

const seconds kPatience = seconds(20) * patience_times();  // Beside other tests on two cores.

std::string make_directory() {
  const char* parent = std::getenv("TMPDIR");
  std::string path = std::string(parent == nullptr || *parent == '\0' ? "/tmp" : parent) + "/godwit-test-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) throw std::system_error(errno, std::generic_category(), "mkdtemp " + path);
  return path;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// The files of the shm endpoints that a killed process had for its jobs.
void remove_hubs_of(pid_t pid) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm", ignored)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("godwit-hub.") && name.find("." + std::to_string(pid) + ".") != std::string::npos)
      std::filesystem::remove(entry.path(), ignored);
  }
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() : path_(make_directory()) {}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // Nothing sensible can be done about it here.
  std::filesystem::remove_all(path_, ignored);
}

Daemon::Daemon(DaemonOptions options)
    : options_(std::move(options)), environment_(options_.environment), address_(options_.listen) {
  try {
    start();
  } catch (...) {
    kill();
    throw;
  }
}

Daemon::~Daemon() {
  kill();
  if (log().find("must not follow") != std::string::npos) {  // Of phases: no test can mean that.
    std::fprintf(stderr, "%s", log().c_str());
    std::abort();
  }
  // A killed daemon leaves the file of its shm endpoint behind; the next of its name takes it over.
  constexpr std::string_view kShm = "shm://";
  std::error_code ignored;
  if (options_.listen.starts_with(kShm)) std::filesystem::remove("/dev/shm/" + options_.listen.substr(kShm.size()), ignored);
}

std::string Daemon::log() const { return read_file(directory() + "/log"); }

void Daemon::start() {
  if (pid_ > 0) throw std::logic_error("the daemon runs already");
  std::filesystem::remove(directory() + "/ready");
  write_config();
  spawn();
  await_ready();
}

void Daemon::write_config() const {
  std::ofstream file(directory() + "/config.json");
  file << "{\"state_dir\": \"" << directory() << "/state\", \"listen\": [\"" << address_ << "\"], \"targets\": [";
  const char* comma = "";
  for (const TargetSpec& target : options_.targets) {
    file << comma << "{\"name\": \"" << target.name << "\", \"type\": \"" << target.type << "\", \"config\": {\"capacity\": \""
         << target.capacity << "\"";
    if (target.type == "pmem") file << ", \"path\": \"" << directory() << "/" << target.name << ".pool\"";
    if (target.type == "file") file << ", \"path\": \"" << directory() << "/" << target.name << ".data\"";
    file << "}}";
    comma = ", ";
  }
  file << "]" << (options_.more.empty() ? "" : ", ") << options_.more;
  // Most tests want to see a job fail when its peer is lost; those that want it to go on say so.
  if (options_.more.find("resume_timeout_ms") == std::string::npos) file << ", \"resume_timeout_ms\": 0";
  file << "}\n";
  if (!file.flush()) throw std::runtime_error("cannot write " + directory() + "/config.json");
}

void Daemon::spawn() {
  // All that allocates is done before the fork.
  std::vector<std::string> arguments{GODWIT_BIN_DIR "/godwitd", "--config",    directory() + "/config.json", "--ready-file",
                                     directory() + "/ready",    "--foreground"};
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  std::vector<std::string> environment = environment_;
  for (char** variable = environ; *variable != nullptr; ++variable) environment.emplace_back(*variable);
  const std::vector<char*> argv = pointers_to(arguments);
  const std::vector<char*> envp = pointers_to(environment);
  const std::string log_path = directory() + "/log";
  const pid_t parent = getpid();

  pid_ = fork();
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ > 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(126);
  const int log_file = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log_file < 0 || dup2(log_file, STDOUT_FILENO) < 0 || dup2(log_file, STDERR_FILENO) < 0) _exit(126);
  execve(argv[0], argv.data(), envp.data());
  _exit(127);
}

void Daemon::await_ready() {
  const auto patience_ends = steady_clock::now() + kPatience;
  while (steady_clock::now() < patience_ends) {
    const std::string ready = read_file(directory() + "/ready");
    if (const size_t end = ready.find('\n'); end != std::string::npos) {
      address_ = ready.substr(0, end);
      return;
    }
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("godwitd ended at once, with wait status " + std::to_string(status) + ":\n" + log());
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
  throw std::runtime_error("godwitd is not ready after " + std::to_string(kPatience.count()) + " s:\n" + log());
}

void Daemon::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  remove_hubs_of(pid_);
  pid_ = -1;
}

bool Daemon::has_died() {
  if (pid_ > 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) {
    remove_hubs_of(pid_);
    pid_ = -1;
  }
  return pid_ <= 0;
}

int Daemon::terminate() {
  if (pid_ <= 0) throw std::logic_error("the daemon does not run");
  ::kill(pid_, SIGTERM);
  const auto patience_ends = steady_clock::now() + kPatience;
  while (steady_clock::now() < patience_ends) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return status;
    }
    std::this_thread::sleep_for(milliseconds(2));
  }
  throw std::runtime_error("godwitd has not ended " + std::to_string(kPatience.count()) + " s after SIGTERM:\n" + log());
}

void Daemon::freeze() {
  if (pid_ > 0) ::kill(pid_, SIGSTOP);
  waitpid(pid_, nullptr, WUNTRACED);  // Until its last thread has stopped.
}

void Daemon::thaw() {
  if (pid_ > 0) ::kill(pid_, SIGCONT);
}

}  // namespace godwit::test
