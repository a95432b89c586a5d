// Peers: the usual ways to bring files to another node, run over loopback as the product is.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace godwit::bench {

// Seconds until both commands have ended, the output of `sender` being the input of `receiver` through a TCP connection.
// Throws std::runtime_error: one of them failed.
double run_through_socket(const std::vector<std::string>& sender, const std::vector<std::string>& receiver);

// An rsync daemon that lets `directory` be written. Throws std::runtime_error; the process dies with the thread that started
// it.
class RsyncDaemon {
 public:
  // Whether there is an rsync to be had.
  static bool is_installed();
  explicit RsyncDaemon(const std::string& directory);
  ~RsyncDaemon();
  RsyncDaemon(const RsyncDaemon&) = delete;
  RsyncDaemon& operator=(const RsyncDaemon&) = delete;

  // Seconds for `rsync -a -W path`, a tree or a file, into the directory.
  double copy(const std::string& path) const;

 private:
  std::string directory_;
  int port_ = 0;
  pid_t process_ = -1;
};

}  // namespace godwit::bench
