// RawSide: one of the two processes of the raw loop: its endpoint, queues and memory, by libfabric calls alone.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

#include "fabric/raw_loop.hpp"

namespace godwit::fabric {

template <class T>
struct RawClose {
  void operator()(T* fid) const { fi_close(&fid->fid); }
};
template <class T>
using RawOwned = std::unique_ptr<T, RawClose<T>>;
struct FreeRawInfo {
  void operator()(fi_info* info) const { fi_freeinfo(info); }
};
using RawInfo = std::unique_ptr<fi_info, FreeRawInfo>;

struct RawName {  // An endpoint's address.
  size_t length = 0;
  std::array<std::byte, 512> bytes{};
};
struct RawMemory {  // What the target exposes.
  uint64_t address = 0;
  uint64_t key = 0;
};

// Endpoint, queues and registered memory of one process.
class RawSide {
 public:
  explicit RawSide(const RawLoopSettings& settings) : settings_(settings) {}
  RawSide(const RawSide&) = delete;
  RawSide& operator=(const RawSide&) = delete;
  ~RawSide();

  bool is_msg() const { return settings_.provider == "tcp" || settings_.provider == "verbs"; }
  uint64_t span() const { return settings_.span_bytes ? settings_.span_bytes : settings_.depth * settings_.operation_bytes; }

  // Finds the provider. `peer`: whom to connect to (MSG only), or NULL for the local end.
  Result<> choose(const RawName* peer);
  // Opens fabric, domain, queues and the memory.
  Result<> open();
  Result<> open_endpoint(fi_info* info);

  // MSG. The target listens and accepts, the initiator connects.
  Result<RawName> listen();
  Result<> accept();
  Result<> connect(const RawName& peer);
  // RDM.
  Result<RawName> name() const { return name_of(&endpoint_->fid); }
  Result<> insert(const RawName& peer);

  // What the peer needs to reach the memory.
  RawMemory expose() const;
  // Drives the provider; counts completions. Errors: kFabric, an operation failed.
  Result<uint32_t> poll();
  Result<> wait_connected();

  // The timed loop of the initiator; returns seconds. Errors: kFabric; kTimeout, nothing completes.
  Result<double> run(const RawMemory& remote, uint64_t operations);

 private:
  Result<RawName> name_of(fid* object) const;
  Result<> register_memory();
  ssize_t post(const RawMemory& remote, uint64_t index);
  Result<std::pair<uint32_t, RawInfo>> wait_event();

  const RawLoopSettings& settings_;
  RawInfo info_;
  RawOwned<fid_fabric> fabric_;  // Closed last.
  RawOwned<fid_eq> events_;
  RawOwned<fid_domain> domain_;
  RawOwned<fid_av> addresses_;
  RawOwned<fid_cq> completions_;
  RawOwned<fid_pep> listener_;
  RawOwned<fid_mr> memory_mr_;
  RawOwned<fid_ep> endpoint_;  // Closed first.
  std::byte* memory_ = nullptr;
  fi_addr_t peer_ = FI_ADDR_UNSPEC;
};

}  // namespace godwit::fabric
