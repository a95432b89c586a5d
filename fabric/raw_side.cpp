#include "fabric/raw_side.hpp"

#include <fmt/format.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace godwit::fabric {
namespace {

constexpr uint64_t kRemoteKey = 0x6f0d;

Result<> check(ssize_t returned, const char* call) {
  if (returned >= 0) return Done{};
  return Error{Errc::kFabric, fmt::format("{}: {}", call, fi_strerror(static_cast<int>(-returned)))};
}

// Calls a libfabric function that gives a handle. Usage: make(owned_, "fi_domain", fi_domain, fabric, info, nullptr).
template <class T, class Call, class... Head>
Result<> make(RawOwned<T>& owned, const char* name, Call call, Head... head) {
  T* raw = nullptr;
  if (auto made = check(call(head..., &raw), name); !made) return made;
  owned.reset(raw);
  return Done{};
}

}  // namespace

RawSide::~RawSide() {
  endpoint_.reset();  // Before the memory that it could still touch.
  memory_mr_.reset();
  if (memory_) munmap(memory_, span());
}

Result<> RawSide::choose(const RawName* peer) {
  RawInfo hints{fi_allocinfo()};
  hints->caps = FI_MSG | FI_RMA;
  hints->mode = FI_CONTEXT;
  hints->ep_attr->type = is_msg() ? FI_EP_MSG : FI_EP_RDM;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  hints->domain_attr->threading = FI_THREAD_DOMAIN;
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  hints->fabric_attr->prov_name = strdup(settings_.provider.c_str());
  const bool is_shm = settings_.provider == "shm";
  uint64_t flags = 0;
  const char* node = nullptr;
  if (peer) {
    hints->dest_addr = malloc(peer->length);  // Freed by fi_freeinfo.
    std::memcpy(hints->dest_addr, peer->bytes.data(), peer->length);
    hints->dest_addrlen = peer->length;
  } else if (!is_shm) {
    node = settings_.host.c_str();
    flags = FI_SOURCE;
  }
  fi_info* found = nullptr;
  if (fi_getinfo(FI_VERSION(1, 14), node, nullptr, flags, hints.get(), &found) != 0)
    return Error{Errc::kUnsupported, fmt::format("raw loop: libfabric offers no provider '{}' here", settings_.provider)};
  info_.reset(found);
  if (settings_.operation_bytes > info_->ep_attr->max_msg_size)
    return Error{Errc::kInvalid, fmt::format("raw loop: operations of {} bytes, but {} allows {} at most",
                                             settings_.operation_bytes, settings_.provider, info_->ep_attr->max_msg_size)};
  return Done{};
}

Result<> RawSide::open() {
  if (auto done = make(fabric_, "fi_fabric", [&](fid_fabric** out) { return fi_fabric(info_->fabric_attr, out, nullptr); });
      !done)
    return done;
  if (is_msg()) {
    fi_eq_attr attributes{};
    attributes.wait_obj = FI_WAIT_UNSPEC;
    if (auto done =
            make(events_, "fi_eq_open", [&](fid_eq** out) { return fi_eq_open(fabric_.get(), &attributes, out, nullptr); });
        !done)
      return done;
  }
  if (auto done =
          make(domain_, "fi_domain", [&](fid_domain** out) { return fi_domain(fabric_.get(), info_.get(), out, nullptr); });
      !done)
    return done;
  fi_cq_attr attributes{};
  attributes.format = FI_CQ_FORMAT_CONTEXT;
  attributes.size = settings_.depth + 16;
  if (auto done =
          make(completions_, "fi_cq_open", [&](fid_cq** out) { return fi_cq_open(domain_.get(), &attributes, out, nullptr); });
      !done)
    return done;
  if (auto done = register_memory(); !done) return done;
  return is_msg() ? Result<>{Done{}} : open_endpoint(info_.get());
}

Result<> RawSide::register_memory() {
  void* mapped = mmap(nullptr, span(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return error_from_errno(Errc::kMemory, fmt::format("raw loop: map {} bytes", span()), errno);
  memory_ = static_cast<std::byte*>(mapped);
  madvise(memory_, span(), MADV_HUGEPAGE);
  std::memset(memory_, 0x5a, span());
  const uint64_t access = FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE;
  return make(memory_mr_, "fi_mr_reg",
              [&](fid_mr** out) { return fi_mr_reg(domain_.get(), memory_, span(), access, 0, kRemoteKey, 0, out, nullptr); });
}

RawMemory RawSide::expose() const {
  const bool is_virtual = info_->domain_attr->mr_mode & FI_MR_VIRT_ADDR;
  return RawMemory{is_virtual ? reinterpret_cast<uint64_t>(memory_) : 0, fi_mr_key(memory_mr_.get())};
}

Result<> RawSide::open_endpoint(fi_info* info) {
  if (auto done = make(endpoint_, "fi_endpoint", [&](fid_ep** out) { return fi_endpoint(domain_.get(), info, out, nullptr); });
      !done)
    return done;
  if (is_msg()) {
    if (auto done = check(fi_ep_bind(endpoint_.get(), &events_->fid, 0), "fi_ep_bind"); !done) return done;
  } else {
    fi_av_attr attributes{};
    attributes.type = FI_AV_UNSPEC;
    if (auto done =
            make(addresses_, "fi_av_open", [&](fid_av** out) { return fi_av_open(domain_.get(), &attributes, out, nullptr); });
        !done)
      return done;
    if (auto done = check(fi_ep_bind(endpoint_.get(), &addresses_->fid, 0), "fi_ep_bind"); !done) return done;
  }
  if (auto done = check(fi_ep_bind(endpoint_.get(), &completions_->fid, FI_TRANSMIT | FI_RECV), "fi_ep_bind"); !done)
    return done;
  return check(fi_enable(endpoint_.get()), "fi_enable");
}

Result<RawName> RawSide::name_of(fid* object) const {
  RawName name;
  name.length = name.bytes.size();
  if (auto done = check(fi_getname(object, name.bytes.data(), &name.length), "fi_getname"); !done) return done.error();
  return name;
}

Result<RawName> RawSide::listen() {
  if (auto done = make(listener_, "fi_passive_ep",
                       [&](fid_pep** out) { return fi_passive_ep(fabric_.get(), info_.get(), out, nullptr); });
      !done)
    return done.error();
  if (auto done = check(fi_pep_bind(listener_.get(), &events_->fid, 0), "fi_pep_bind"); !done) return done.error();
  if (auto done = check(fi_listen(listener_.get()), "fi_listen"); !done) return done.error();
  return name_of(&listener_->fid);
}

Result<std::pair<uint32_t, RawInfo>> RawSide::wait_event() {
  uint32_t event = 0;
  fi_eq_cm_entry entry{};
  const ssize_t got = fi_eq_sread(events_.get(), &event, &entry, sizeof entry, static_cast<int>(settings_.silence.count()), 0);
  if (got == -FI_EAGAIN) return Error{Errc::kTimeout, "raw loop: the connection was not made in time"};
  if (got < 0) return Error{Errc::kFabric, "raw loop: the connection failed"};
  return std::pair{event, RawInfo{event == FI_CONNREQ ? entry.info : nullptr}};
}

Result<> RawSide::accept() {
  auto request = wait_event();
  if (!request) return request.error();
  if (request->first != FI_CONNREQ) return Error{Errc::kFabric, "raw loop: expected a connection request"};
  if (auto done = open_endpoint(request->second.get()); !done) return done;
  if (auto done = check(fi_accept(endpoint_.get(), nullptr, 0), "fi_accept"); !done) return done;
  return wait_connected();
}

Result<> RawSide::connect(const RawName& peer) {
  if (auto done = open_endpoint(info_.get()); !done) return done;
  if (auto done = check(fi_connect(endpoint_.get(), peer.bytes.data(), nullptr, 0), "fi_connect"); !done) return done;
  return wait_connected();
}

Result<> RawSide::wait_connected() {
  auto event = wait_event();
  if (!event) return event.error();
  if (event->first != FI_CONNECTED) return Error{Errc::kFabric, "raw loop: the connection was refused"};
  return Done{};
}

Result<> RawSide::insert(const RawName& peer) {
  if (fi_av_insert(addresses_.get(), peer.bytes.data(), 1, &peer_, 0, nullptr) == 1) return Done{};
  return Error{Errc::kFabric, "fi_av_insert: the peer's address was refused"};
}

Result<uint32_t> RawSide::poll() {
  std::array<fi_cq_entry, 16> entries;
  const ssize_t got = fi_cq_read(completions_.get(), entries.data(), entries.size());
  if (got >= 0) return static_cast<uint32_t>(got);
  if (got == -FI_EAGAIN) return uint32_t{0};
  fi_cq_err_entry failure{};
  fi_cq_readerr(completions_.get(), &failure, 0);
  return Error{Errc::kFabric, fmt::format("raw loop: an operation failed: {}", fi_strerror(failure.err))};
}

ssize_t RawSide::post(const RawMemory& remote, uint64_t index) {
  const uint64_t slots = span() / settings_.operation_bytes;
  const uint64_t offset = index % slots * settings_.operation_bytes;
  void* descriptor = fi_mr_desc(memory_mr_.get());
  iovec local{memory_ + offset, settings_.operation_bytes};
  fi_rma_iov there{remote.address + offset, settings_.operation_bytes, remote.key};
  fi_msg_rma message{};
  message.msg_iov = &local;
  message.desc = &descriptor;
  message.iov_count = 1;
  message.addr = peer_;
  message.rma_iov = &there;
  message.rma_iov_count = 1;
  if (settings_.operation == RawOperation::kRead) return fi_readmsg(endpoint_.get(), &message, FI_COMPLETION);
  return fi_writemsg(endpoint_.get(), &message, FI_COMPLETION | FI_DELIVERY_COMPLETE);
}

Result<double> RawSide::run(const RawMemory& remote, uint64_t operations) {
  uint64_t posted = 0;
  uint64_t done = 0;
  const auto start = Clock::now();
  auto last = start;
  uint32_t idle = 0;
  while (done < operations) {
    while (posted < operations && posted - done < settings_.depth) {
      const ssize_t returned = post(remote, posted);
      if (returned == -FI_EAGAIN) break;
      if (auto good = check(returned, "fi_writemsg or fi_readmsg"); !good) return good.error();
      ++posted;
    }
    auto completed = poll();
    if (!completed) return completed.error();
    done += *completed;
    if (*completed) {
      idle = 0;
    } else if (++idle % (1u << 20) == 0) {  // The clock is not read in the hot loop.
      if (idle == 1u << 20) last = Clock::now();
      if (Clock::now() - last > settings_.silence) return Error{Errc::kTimeout, "raw loop: no operation completes"};
    }
  }
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace godwit::fabric
