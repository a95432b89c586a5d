// Nodes: the two daemons that the product is measured with: our own, or running ones that the user named.
#pragma once

#include <chrono>
#include <godwit/godwit.hpp>
#include <memory>
#include <string>
#include <vector>

#include "bench/report.hpp"
#include "bench/settings.hpp"
#include "common/daemons.hpp"

namespace godwit::bench {

using tools::Daemons;
using tools::DaemonSettings;

// One thread.
class Nodes {
 public:
  // Starts daemons that have room for `region_bytes` on each target, or takes --from and --to; says so in the report.
  Nodes(const Settings& settings, uint64_t region_bytes, Report& report);

  const std::string& source() const { return source_; }
  const std::string& destination() const { return destination_; }
  // The node's first target of this kind. Throws std::runtime_error if it has none.
  Target target(const std::string& address, const std::string& kind) const;
  Client& client() { return client_; }
  godwit_client* c_client() const { return client_.c_handle(); }
  // NULL: they run elsewhere.
  const Daemons* daemons() const { return daemons_.get(); }
  // Processor time that both daemons have used; 0 if they run elsewhere.
  double processor_seconds() const;

 private:
  std::unique_ptr<Daemons> daemons_;  // Ended last.
  std::string source_, destination_;
  Client client_;
};

// Reproducible bytes that do not compress.
std::vector<char> random_bytes(uint64_t count);

// The seconds that `what` takes.
template <class What>
double seconds_of(const What& what) {
  const auto start = std::chrono::steady_clock::now();
  what();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace godwit::bench
