// Metrics: what a node tells a Prometheus server that scrapes it, by HTTP, at /metrics.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <memory>
#include <string>

#include "daemon/node.hpp"

namespace godwit::daemon {

// Its threads read the node: destroy it before anything that it reads.
class Metrics {
 public:
  // As settings.metrics says; sets node.metrics_url. The node's tables are there, and it knows its addresses. Null: off, "auto"
  // without a port to derive one from, or "auto" and the port is taken, which is logged.
  // Errors: kConfig, kDenied: what was configured is taken, or cannot be listened at.
  static Result<std::unique_ptr<Metrics>> start(Node& node);
  // Blocks until no thread reads the node: at most for two seconds, and only if a client is slow.
  ~Metrics();

 private:
  Metrics() = default;

  std::string address_;
  std::shared_ptr<prometheus::Collectable> collector_;
  std::unique_ptr<prometheus::Exposer> exposer_;  // Joins its threads; first.
};

}  // namespace godwit::daemon
