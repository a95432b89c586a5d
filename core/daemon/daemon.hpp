// Daemon: wires a node from its settings, runs it, and takes it down in order.
#pragma once

#include <memory>
#include <vector>

#include "daemon/metrics.hpp"
#include "daemon/node.hpp"
#include "daemon/service.hpp"

namespace godwit::daemon {

class Daemon {
 public:
  // Opens the journal and the targets, recovers what a crash has cut short, listens, and serves. Blocks until it does.
  // Errors: kBusy (another daemon has the state directory or a pool), kCorrupt, kConfig, kIo, kFabric, kExists.
  static Result<std::unique_ptr<Daemon>> start(Settings settings);
  // Stops serving; jobs that are not decided are cancelled, those in doubt stay in the journal.
  ~Daemon();

  const std::vector<std::string>& addresses() const { return node_->addresses; }

 private:
  Daemon() = default;
  Result<> open_storage();
  Result<> clear_up();
  Result<> open_services();

  std::unique_ptr<Node> node_;
  std::vector<std::unique_ptr<Service>> services_;
  std::unique_ptr<engine::Resolver> resolver_;
  std::unique_ptr<Metrics> metrics_;  // Reads all of the above.
};

}  // namespace godwit::daemon
