// Topology: which processors the daemon's threads should use, by hwloc.
#pragma once

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.hpp"

struct hwloc_topology;

namespace godwit::daemon {

enum class Pinning { kNone, kNuma, kCore };
Pinning pinning_from(const std::string& text);

// Thread-safe.
class Topology {
 public:
  // Blocks for the discovery (some milliseconds). Errors: kInternal, hwloc fails.
  static Result<std::unique_ptr<Topology>> load(Pinning pinning, const std::string& network_interface);
  ~Topology();

  // Binds the calling thread, and the memory that it will touch first, near the network interface: to the NUMA node, or to the
  // next core of it in turn. A failure is logged once and changes nothing.
  void pin_thread();
  // Machine, NUMA nodes, interface, and where threads go; for the doctor.
  nlohmann::json describe() const;

 private:
  struct Deleter {
    void operator()(hwloc_topology* topology) const;
  };
  explicit Topology(Pinning pinning) : pinning_(pinning) {}

  const Pinning pinning_;
  std::unique_ptr<hwloc_topology, Deleter> topology_;
  std::string interface_;
  std::string cpus_;  // hwloc list of the processors near the interface.
  std::mutex mutex_;  // Guards next_core_ and warned_.
  unsigned next_core_ = 0;
  bool warned_ = false;
};

}  // namespace godwit::daemon
