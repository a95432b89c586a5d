// Which libfabric provider to use: chosen by capability, and the choice explained.
#pragma once

#include <rdma/fabric.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace godwit::fabric {

struct InfoDeleter {
  void operator()(fi_info* info) const { fi_freeinfo(info); }
};
using InfoPtr = std::unique_ptr<fi_info, InfoDeleter>;

// How connections are made: MSG endpoints connect by themselves; over RDM endpoints we say hello in a message.
enum class Backend { kMsg, kRdm };

struct ProviderQuery {
  std::string provider;  // Empty: the best usable one (verbs before tcp; the backend MSG before RDM).
  // "host", "host:port" or a name: the local end to bind to. Empty: any; of several RDMA devices the one nearest to the calling
  // thread, of equally near ones the fastest.
  std::string location;
  bool require_rdma = false;  // Refuse providers that are not RDMA (tcp, shm, sockets, udp) with kUnsupported.
};

struct ProviderChoice {
  InfoPtr info;
  Backend backend;
  std::string name;         // "tcp", "verbs", "shm", "tcp;ofi_rxm".
  std::string explanation;  // One line for people: "tcp over MSG endpoints on lo (127.0.0.1): not RDMA".
};

// Blocks for fi_getinfo (milliseconds). Any thread.
// Needs FI_MSG and FI_RMA (read and write, both sides).
// Errors: kUnsupported, no usable provider, the text lists each one tried and why not; kFabric, fi_getinfo failed.
Result<ProviderChoice> choose_provider(const ProviderQuery& query);

struct ProviderReport {
  std::string name;
  bool usable = false;
  bool is_rdma = false;
  std::string backend;  // "MSG" or "RDM"; empty if not usable.
  std::string reason;   // Why it is usable, or what hides it (no device, memlock, no RMA, ...).
};
// Every provider that libfabric has been built with, for `godwit doctor`.
std::vector<ProviderReport> report_providers();

}  // namespace godwit::fabric
