// Proxy: a wire between two daemons over TCP that can be cut, each way alone, made slow, and mended.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>
#include <string>
#include <thread>
#include <vector>

namespace godwit::test {

// Who connects to address() reaches the daemon behind. What is on its way when the wire is cut stays on its way, as with TCP,
// and arrives once it is mended; nobody is told. Any thread.
class Proxy {
 public:
  // `behind`: an address of the provider tcp, "tcp://127.0.0.1:PORT". Throws std::system_error.
  explicit Proxy(const std::string& behind);
  ~Proxy();
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  const std::string& address() const { return address_; }

  // From now on, nothing that comes from who connected reaches the daemon behind; and the other way.
  void cut_forth() { forth_cut_ = true; }
  void cut_back() { back_cut_ = true; }
  // At most so many bytes a second each way of each connection; 0: as many as there are.
  void limit(uint64_t bytes_per_second) { bytes_per_second_ = bytes_per_second; }
  void mend();

 private:
  // One way of a connection.
  struct Way {
    int from = -1, to = -1;
    bool is_forth = false;
    std::vector<char> held = {};  // Was read, and is to be written.
    bool ended = false;           // Nothing comes any more.
    double allowance_bytes = 0;
  };
  struct Connection {
    int outer = -1, inner = -1;
    Way forth, back;
  };

  void run();
  void accept_one();
  bool is_cut(const Way& way) const { return way.is_forth ? forth_cut_ : back_cut_; }
  // False: the connection has broken.
  bool carry(Way& way, double seconds);

  std::string address_;
  uint16_t port_behind_ = 0;
  int listening_ = -1;
  std::atomic<bool> forth_cut_{false}, back_cut_{false}, stopping_{false};
  std::atomic<uint64_t> bytes_per_second_{0};
  std::list<Connection> connections_;  // Of the thread.
  std::thread thread_;
};

}  // namespace godwit::test
