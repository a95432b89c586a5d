// Service: one listening address and its loop: clients' control sessions are answered here, everything long is handed on.
#pragma once

#include <atomic>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "daemon/node.hpp"
#include "daemon/requests.hpp"
#include "fabric/hub.hpp"

namespace godwit::daemon {

class Service final : public fabric::HubHandler {
 public:
  // Listens. Errors: kFabric, kExists (the address is taken), kUnsupported.
  static Result<std::unique_ptr<Service>> open(Node& node, const std::string& listen);
  ~Service() override;

  const std::string& address() const { return address_; }
  const std::string& explanation() const { return domain_->explanation(); }
  void start();
  // Any thread: ends the loop and joins.
  void stop();
  // Any thread: a job has ended; whoever waits for it is answered.
  void job_ended(const Id& job);

  void on_incoming(fabric::Incoming incoming) override;
  void on_open(fabric::ConnectionId connection) override;
  void on_message(fabric::ConnectionId connection, std::span<const std::byte> message) override;
  void on_rma(fabric::ConnectionId connection, uint64_t token, Result<> outcome) override;
  void on_closed(fabric::ConnectionId connection, Error reason) override;

 private:
  struct Waiter {  // A client that waits for a job.
    fabric::ConnectionId connection;
    uint64_t request;
    Id job;
    Deadline deadline;
  };
  struct Posted {  // From other threads, for the loop.
    fabric::ConnectionId connection;
    std::vector<std::byte> reply;
    uint64_t request_bytes;  // What the reply answers; may_wait() counted it.
    Id ended_job;
  };

  Service(Node& node, std::shared_ptr<fabric::Domain> domain, std::unique_ptr<fabric::Hub> hub, std::string address)
      : node_(node),
        domain_(std::move(domain)),
        hub_(std::move(hub)),
        address_(std::move(address)),
        requests_(node, address_) {}

  void run();
  void post(Posted posted);
  void take_posted();
  void answer_waiters(const Id& ended_job);
  // The group is asked for what this node does not have; whoever asked is answered then. The loop's thread.
  void seek(fabric::ConnectionId connection, const Sought& sought);
  // The same of a request of so many bytes, which may_wait() has counted. Any thread.
  void submit_search(fabric::ConnectionId connection, uint64_t request_bytes, const Sought& sought);
  Deadline next_deadline() const;
  void send(fabric::ConnectionId connection, std::span<const std::byte> reply);
  // Whether one more request of this session, of so many bytes, may wait for its answer; counts it if so.
  bool may_wait(fabric::ConnectionId connection, uint64_t bytes);
  void waits_no_more(fabric::ConnectionId connection, uint64_t bytes);

  Node& node_;
  const std::shared_ptr<fabric::Domain> domain_;
  const std::unique_ptr<fabric::Hub> hub_;
  const std::string address_;
  Requests requests_;
  std::unordered_map<uint64_t, uint32_t> sessions_;  // And how many requests of each wait for an answer.
  uint64_t waiting_bytes_ = 0;                       // Of all requests that wait for a worker.
  std::list<Waiter> waiters_;

  std::mutex mutex_;  // Guards posted_.
  std::vector<Posted> posted_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace godwit::daemon
