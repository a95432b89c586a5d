#include "bench/daemons.hpp"

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

#include "bench/machine.hpp"

namespace godwit::bench {
namespace {

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
  std::string path = std::string(fits ? "/dev/shm" : "/tmp") + "/godwit-bench-XXXXXX";
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

Daemons::Daemons(const DaemonSettings& settings) : directory_(make_directory(4 * settings.capacity_bytes)) {
  try {
    for (int which : {0, 1}) start(which, settings);
    for (Node& node : nodes_) await_ready(node);
  } catch (...) {
    stop();
    throw;
  }
}

Daemons::~Daemons() { stop(); }

void Daemons::start(int which, const DaemonSettings& settings) {
  Node& node = nodes_[which];
  node.directory = directory_ + (which == 0 ? "/source" : "/destination");
  fs::create_directory(node.directory);
  const std::string listen = settings.provider == "shm" ? fmt::format("shm://godwit-bench-{}-{}", getpid(), which)
                                                        : fmt::format("{}://{}:0", settings.provider, settings.host);
  const nlohmann::json dram{{"capacity", settings.capacity_bytes}, {"prefault", settings.prefault}};
  const nlohmann::json pmem{{"capacity", settings.capacity_bytes}, {"path", node.directory + "/pmem.pool"}};
  const nlohmann::json config{
      {"state_dir", node.directory},
      {"listen", {listen}},
      {"file_roots", {{{"path", directory_}}}},
      {"database_root", node.directory + "/databases"},
      {"targets",
       {{{"name", "dram"}, {"type", "dram"}, {"config", dram}}, {{"name", "pmem"}, {"type", "pmem"}, {"config", pmem}}}}};
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
  if (!freopen(log.c_str(), "w", stderr)) _exit(127);
  execl(program.c_str(), "godwitd", "--config", config_file.c_str(), "--ready-file", ready_file.c_str(), nullptr);
  _exit(127);
}

void Daemons::await_ready(Node& node) const {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(120);
  const auto fail = [&](const char* what) {
    throw std::runtime_error(fmt::format("godwitd {}: {}", what, tail_of(node.directory + "/log")));
  };
  while (node.address.empty()) {
    std::getline(std::ifstream(node.directory + "/ready") >> std::ws, node.address);
    if (waitpid(node.process, nullptr, WNOHANG) != 0) {
      node.process = -1;
      fail("ended before it was ready (is it beside godwit-bench?)");
    }
    if (std::chrono::steady_clock::now() > limit) fail("was not ready within 120 s");
    std::this_thread::sleep_for(milliseconds(5));
  }
  // Touching its memory is over when it uses no processor any more.
  for (double before = -1; std::chrono::steady_clock::now() < limit;) {
    const double now = processor_seconds(node.process);
    if (now == before) return;
    before = now;
    std::this_thread::sleep_for(milliseconds(200));
  }
  fail("does not come to rest");
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
}

}  // namespace godwit::bench
