// Daemon: a real godwitd for tests: started on a free port with a state of its own, killed, restarted, and cleaned away.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace godwit::test {

// A directory of its own below $TMPDIR or /tmp, removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct TargetSpec {
  std::string name;
  std::string type;  // "dram", "pmem" or "file"; the latter two in the daemon's directory.
  std::string capacity = "64MiB";
};

struct DaemonOptions {
  std::vector<TargetSpec> targets{{"fast", "dram"}, {"keep", "pmem"}};
  std::string listen = "tcp://127.0.0.1:0";
  std::string more = {};  // Further members of the configuration: `"key": value, ...`.
  std::vector<std::string> arguments = {};
  std::vector<std::string> environment = {};  // "NAME=value", added to ours.
};

// One thread. The process dies with the thread that started it, whatever becomes of the test.
class Daemon {
 public:
  // Starts, and waits until it is ready. Throws std::runtime_error, with the log, if it is not within 20 s times patience.
  explicit Daemon(DaemonOptions options = {});
  // kill -9, and removes the directory.
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // The same after each restart.
  const std::string& address() const { return address_; }
  // The configuration, the state, pools and log lie in it.
  const std::string& directory() const { return directory_.path(); }
  pid_t pid() const { return pid_; }
  std::string log() const;

  // kill -9.
  void kill();
  // SIGTERM; the exit status as of waitpid. Throws if it has not ended within 20 s.
  int terminate();
  // Starts it again with the same state and address; it must not run.
  void start();
  // What it is started with from now on, besides ours; replaces options.environment.
  void set_environment(std::vector<std::string> environment) { environment_ = std::move(environment); }
  // Whether the process has ended by itself (a crash point); reaps it.
  bool has_died();
  // SIGSTOP and SIGCONT: a node that hangs.
  void freeze();
  void thaw();

 private:
  void write_config() const;
  void spawn();
  void await_ready();

  const DaemonOptions options_;
  std::vector<std::string> environment_;
  const TemporaryDirectory directory_;
  std::string address_;
  pid_t pid_ = -1;
};

}  // namespace godwit::test
