// Daemons: two godwitd processes of our own, from beside our executable, with a directory that goes away with us.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace godwit::tools {

struct DaemonSettings {
  std::string provider = "tcp";
  std::string host = "127.0.0.1";
  uint64_t capacity_bytes = 0;  // Of each of the targets "dram" and "pmem" at each daemon.
  bool prefault = true;         // dram: touch all pages before measuring.
  bool everywhere = false;      // On all processors, whatever we are bound to.
  uint32_t checkpoint_ms = 0;   // Between checkpoints; 0: as the daemons do by themselves.
};

// One thread. The processes die with the thread that started them, and the directory is removed, whatever becomes of us.
class Daemons {
 public:
  // Starts both, waits until they are ready and have nothing left to do (their memory is touched).
  // Throws std::runtime_error: not ready within 120 s, with the log's end; no room for the directory.
  explicit Daemons(const DaemonSettings& settings);
  // SIGTERM, then SIGKILL after 10 s; removes the directory.
  ~Daemons();
  Daemons(const Daemons&) = delete;
  Daemons& operator=(const Daemons&) = delete;

  const std::string& address(int which) const { return nodes_[which].address; }
  pid_t process(int which) const { return nodes_[which].process; }
  const std::string& directory() const { return directory_; }
  // kill -9 of those named, all at once; then starts them again, with their state and at their addresses, and waits until they
  // are ready. Throws as the constructor.
  void kill_and_restart(const std::vector<int>& which);

 private:
  struct Node {
    std::string directory, address;
    pid_t process = -1;
  };
  void start_sweeper();
  void start(int which);
  [[noreturn]] static void fail(const Node& node, const char* what);
  static void await_ready(Node& node);
  static void await_rest(const Node& node);
  void stop();

  const DaemonSettings settings_;
  std::string directory_;
  pid_t sweeper_ = -1;
  int sweeper_end_ = -1;
  Node nodes_[2];
};

// Blocks SIGINT and SIGTERM for this process, and starts a thread that waits for them: it removes what Daemons have made,
// and exits. Call once, first in main().
void clean_up_on_signals();

}  // namespace godwit::tools
