#include "common/daemons.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "common/process.hpp"

namespace godwit::tools {
namespace {

constexpr auto kPatience = std::chrono::seconds(120);

using std::chrono::milliseconds;
namespace fs = std::filesystem;

std::mutex cleaning;         // Guards what follows.
std::string made_directory;  // NOLINT: what a signal has to remove.

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// In memory when there is room for it twice over.
std::string make_directory(uint64_t bytes) {
  std::error_code error;
  const auto space = fs::space("/dev/shm", error);
  const bool fits = !error && space.available > 2 * bytes;
  std::string path = (fits ? fs::path("/dev/shm") : fs::temp_directory_path()) / "godwit-measure-XXXXXX";
  const std::lock_guard lock(cleaning);
  if (!mkdtemp(path.data())) throw std::runtime_error("cannot make a directory like " + path);
  made_directory = path;
  return path;
}

std::string tail_of(const std::string& path) {
  std::ifstream file(path);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.size() > 2000 ? text.substr(text.size() - 2000) : text;
}

}  // namespace

void clean_up_on_signals() {
  const sigset_t signals = ending_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([signals] {
    int number = 0;
    sigwait(&signals, &number);
    const std::lock_guard lock(cleaning);
    std::error_code ignored;
    if (!made_directory.empty()) fs::remove_all(made_directory, ignored);
    _exit(128 + number);  // The daemons die with us.
  }).detach();
}

Daemons::Daemons(const DaemonSettings& settings)
    : settings_(settings), directory_(make_directory(4 * settings.capacity_bytes)) {
  try {
    start_sweeper();
    for (int which : {0, 1}) start(which);
    for (Node& node : nodes_) await_ready(node);
    for (const Node& node : nodes_) await_rest(node);
  } catch (...) {
    stop();
    throw;
  }
}

Daemons::~Daemons() { stop(); }

void Daemons::kill_and_restart(const std::vector<int>& which) {
  for (const int one : which) kill(nodes_[one].process, SIGKILL);
  for (const int one : which) {
    waitpid(nodes_[one].process, nullptr, 0);
    nodes_[one].process = -1;
    fs::remove(nodes_[one].directory + "/ready");
    start(one);
    nodes_[one].address.clear();
  }
  for (const int one : which) await_ready(nodes_[one]);  // Not its rest: what was interrupted goes on.
}

// A process that removes the directory when we are gone: mpirun may leave us no time to do so.
void Daemons::start_sweeper() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe failed");
  const char* script = "trap '' INT TERM HUP; read -r _; rm -rf \"$1\" 2>&- || { sleep 1; rm -rf \"$1\"; }";
  sweeper_ = fork();
  if (sweeper_ == 0) {
    setsid();  // What is meant for our process group is not for it.
    dup2(ends[0], STDIN_FILENO);
    const int nowhere = open("/dev/null", O_WRONLY);  // Who waits for the end of our output does not wait for it.
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
    execl("/bin/sh", "sh", "-c", script, "sh", directory_.c_str(), nullptr);
    _exit(127);
  }
  close(ends[0]);
  sweeper_end_ = ends[1];
}

void Daemons::start(int which) {
  Node& node = nodes_[which];
  node.directory = directory_ + (which == 0 ? "/source" : "/destination");
  fs::create_directory(node.directory);
  std::string listen = node.address;  // The one that it had, if it is started again.
  if (listen.empty())
    listen = settings_.provider == "shm" ? fmt::format("shm://godwit-measure-{}-{}", getpid(), which)
                                         : fmt::format("{}://{}:0", settings_.provider, settings_.host);
  const nlohmann::json dram{{"capacity", settings_.capacity_bytes}, {"prefault", settings_.prefault}};
  const nlohmann::json pmem{{"capacity", settings_.capacity_bytes}, {"path", node.directory + "/pmem.pool"}};
  nlohmann::json config{
      {"state_dir", node.directory},
      {"listen", {listen}},
      {"identity", {{"method", "none"}}},  // Of a host that is named, too: they live for one benchmark.
      {"file_roots", {{{"path", directory_}}}},
      {"database_root", node.directory + "/databases"},
      {"targets",
       {{{"name", "dram"}, {"type", "dram"}, {"config", dram}}, {{"name", "pmem"}, {"type", "pmem"}, {"config", pmem}}}}};
  if (settings_.checkpoint_ms > 0) config["checkpoint_interval_ms"] = settings_.checkpoint_ms;
  std::ofstream(node.directory + "/godwitd.json") << config.dump(2);

  const std::string program = fs::read_symlink("/proc/self/exe").parent_path() / "godwitd";
  const std::string config_file = node.directory + "/godwitd.json", ready_file = node.directory + "/ready";
  const std::string log = node.directory + "/log";
  const pid_t parent = getpid();
  const sigset_t signals = ending_signals();
  node.process = fork();
  if (node.process != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(127);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  if (settings_.everywhere) use_all_processors();
  if (!freopen(log.c_str(), "w", stderr)) _exit(127);
  execl(program.c_str(), "godwitd", "--config", config_file.c_str(), "--ready-file", ready_file.c_str(), nullptr);
  _exit(127);
}

void Daemons::fail(const Node& node, const char* what) {
  throw std::runtime_error(fmt::format("godwitd {}: {}", what, tail_of(node.directory + "/log")));
}

void Daemons::await_ready(Node& node) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  while (node.address.empty()) {
    std::getline(std::ifstream(node.directory + "/ready") >> std::ws, node.address);
    if (waitpid(node.process, nullptr, WNOHANG) != 0) {
      node.process = -1;
      fail(node, "ended before it was ready (is it beside this program?)");
    }
    if (std::chrono::steady_clock::now() > limit) fail(node, "was not ready within 120 s");
    std::this_thread::sleep_for(milliseconds(5));
  }
}

// Touching its memory is over when it uses no processor any more.
void Daemons::await_rest(const Node& node) {
  const auto limit = std::chrono::steady_clock::now() + kPatience;
  for (double before = -1; std::chrono::steady_clock::now() < limit;) {
    const double now = processor_seconds(node.process);
    if (now == before) return;
    before = now;
    std::this_thread::sleep_for(milliseconds(200));
  }
  fail(node, "does not come to rest");
}

void Daemons::stop() {
  for (Node& node : nodes_)
    if (node.process > 0) kill(node.process, SIGTERM);
  for (Node& node : nodes_) {
    for (int tick = 0; node.process > 0; ++tick) {
      if (tick == 1000) kill(node.process, SIGKILL);
      if (waitpid(node.process, nullptr, WNOHANG) != 0) node.process = -1;
      std::this_thread::sleep_for(milliseconds(10));
    }
  }
  const std::lock_guard lock(cleaning);
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
  made_directory.clear();
  if (sweeper_end_ >= 0) close(sweeper_end_);
  if (sweeper_ > 0) waitpid(sweeper_, nullptr, 0);
}

}  // namespace godwit::tools
