// Domain: one opened provider, and memory registered with it.
#pragma once

#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_eq.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.hpp"
#include "fabric/guard.hpp"
#include "fabric/provider.hpp"

namespace godwit::fabric {

template <class T>
struct CloseFid {
  void operator()(T* fid) const { fi_close(&fid->fid); }
};
template <class T>
using Fid = std::unique_ptr<T, CloseFid<T>>;

// What a peer needs to reach registered memory. Travels in messages.
struct RemoteMemory {
  uint64_t address = 0;  // Of the first byte: virtual, or 0, as the provider's mr_mode says.
  uint64_t key = 0;
  uint64_t length_bytes = 0;
};

// Least access: what is only a local buffer of our own RMA is never remotely reachable.
enum class Access { kLocal, kRemoteRead, kRemoteWrite };

class Domain;

// Memory that the provider knows; deregistered when destroyed. Does not own the bytes, keeps the domain alive.
class Registration {
 public:
  Registration(Registration&& other) noexcept;
  Registration& operator=(Registration&& other) noexcept;
  ~Registration();

  std::span<std::byte> bytes() const { return bytes_; }
  void* descriptor() const { return mr_ ? fi_mr_desc(mr_.get()) : nullptr; }
  RemoteMemory remote() const;

 private:
  friend class Domain;
  Registration() = default;
  std::shared_ptr<Domain> domain_;  // Closed last.
  Fid<fid_mr> mr_;                  // Null: the provider needs no registration for local use.
  std::span<std::byte> bytes_;
  uint64_t remote_address_ = 0;
};

struct Limits {
  uint64_t max_message_bytes;  // Of one send or one RMA operation.
  uint64_t inject_bytes;
  bool has_wait_fd;        // Completion queues can be waited on; else waits poll with growing pauses.
  bool delivery_complete;  // A write's completion can say that the bytes are in the peer's memory.
};

// Thread-safe. Hubs (hub.hpp) open endpoints on it.
class Domain : public std::enable_shared_from_this<Domain> {
 public:
  // `guard`: of each connection of the domain; null: no peer is asked who it is, and none is told.
  // Errors: kFabric, with the libfabric call that failed.
  static Result<std::shared_ptr<Domain>> open(ProviderChoice choice, std::shared_ptr<const Guard> guard = nullptr);

  // Blocks while pages are pinned. Errors: kMemory, memlock (the text gives the limit); kFabric;
  // kUnsupported, this memory cannot be registered (file-system DAX): the caller stages instead.
  Result<Registration> register_memory(std::span<std::byte> bytes, Access access);

  const Limits& limits() const { return limits_; }
  Backend backend() const { return choice_.backend; }
  const std::string& provider() const { return choice_.name; }
  const std::string& explanation() const { return choice_.explanation; }
  uint64_t registered_bytes() const { return registered_bytes_; }

  const Guard* guard() const { return guard_.get(); }  // May be null.

  // For fabric/ only.
  fi_info* info() const { return choice_.info.get(); }
  fid_fabric* fabric() const { return fabric_.get(); }
  fid_domain* domain() const { return domain_.get(); }

 private:
  friend class Registration;
  Domain(ProviderChoice choice, std::shared_ptr<const Guard> guard) : choice_(std::move(choice)), guard_(std::move(guard)) {}

  ProviderChoice choice_;
  const std::shared_ptr<const Guard> guard_;
  Fid<fid_fabric> fabric_;  // Closed last.
  Fid<fid_domain> domain_;
  Limits limits_{};
  std::atomic<uint64_t> registered_bytes_{0};
};

}  // namespace godwit::fabric
