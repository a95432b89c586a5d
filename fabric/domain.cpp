#include "fabric/domain.hpp"

#include <rdma/fi_errno.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "base/id.hpp"
#include "base/units.hpp"
#include "fabric/failure.hpp"

namespace godwit::fabric {

namespace {

// One operation of more than this gains nothing, and some providers fail late on huge ones.
constexpr uint64_t kOperationBytesMax = 1_GiB;
constexpr int kKeyAttempts = 8;

uint64_t access_flags(Access access) {
  constexpr uint64_t kLocal = FI_SEND | FI_RECV | FI_READ | FI_WRITE;
  switch (access) {
    case Access::kLocal: return kLocal;
    case Access::kRemoteRead: return kLocal | FI_REMOTE_READ;
    case Access::kRemoteWrite: return kLocal | FI_REMOTE_WRITE;
  }
  return kLocal;
}

// A key that a stranger cannot guess, where we choose it.
uint64_t random_key(size_t key_bytes) {
  const uint64_t key = random_id().low;
  return key_bytes >= sizeof(key) ? key : key & ((uint64_t{1} << (8 * key_bytes)) - 1);
}

Error registration_error(int code, size_t length_bytes) {
  const std::string what = "registering " + format_size(length_bytes) + " of memory: " + fi_strerror(-code);
  switch (-code) {
    case FI_ENOMEM:
    case FI_EAGAIN: {
      rlimit limit{};
      getrlimit(RLIMIT_MEMLOCK, &limit);
      const std::string memlock = limit.rlim_cur == RLIM_INFINITY ? "unlimited" : format_size(limit.rlim_cur);
      return Error{Errc::kMemory, what + "; the memlock limit is " + memlock + " (ulimit -l): raise it, or move less at once"};
    }
    case FI_EOPNOTSUPP:
    case FI_ENOSYS:
    case FI_EFAULT: return Error{Errc::kUnsupported, what + "; this kind of mapping cannot be registered"};
    default: return Error{Errc::kFabric, what};
  }
}

bool can_wait_on_fd(fid_domain* domain) {
  fi_cq_attr attr{};
  attr.size = 8;
  attr.format = FI_CQ_FORMAT_MSG;
  attr.wait_obj = FI_WAIT_FD;
  fid_cq* cq = nullptr;
  if (fi_cq_open(domain, &attr, &cq, nullptr) != 0) return false;
  const Fid<fid_cq> owner(cq);
  int fd = -1;
  return fi_control(&cq->fid, FI_GETWAIT, &fd) == 0 && fd >= 0;
}

// Asked of the provider rather than tried on an operation: some ignore flags they do not know.
bool supports_delivery_complete(const fi_info& info) {
  const InfoPtr hints(fi_dupinfo(&info));
  if (!hints) return false;
  hints->tx_attr->op_flags = FI_DELIVERY_COMPLETE;
  hints->handle = nullptr;
  fi_info* list = nullptr;
  const int code = fi_getinfo(FI_VERSION(1, 17), nullptr, nullptr, 0, hints.get(), &list);
  const InfoPtr owner(list);
  return code == 0;
}

}  // namespace

Registration::Registration(Registration&& other) noexcept
    : domain_(std::move(other.domain_)),
      mr_(std::move(other.mr_)),
      bytes_(std::exchange(other.bytes_, {})),
      remote_address_(other.remote_address_) {}

Registration& Registration::operator=(Registration&& other) noexcept {
  std::swap(domain_, other.domain_);
  std::swap(mr_, other.mr_);
  std::swap(bytes_, other.bytes_);
  std::swap(remote_address_, other.remote_address_);
  return *this;
}

Registration::~Registration() {
  if (mr_) domain_->registered_bytes_ -= bytes_.size();
}

RemoteMemory Registration::remote() const {
  if (!mr_) return {};
  return RemoteMemory{remote_address_, fi_mr_key(mr_.get()), bytes_.size()};
}

Result<std::shared_ptr<Domain>> Domain::open(ProviderChoice choice, std::shared_ptr<const Guard> guard) {
  std::shared_ptr<Domain> self(new Domain(std::move(choice), std::move(guard)));
  fi_info* info = self->choice_.info.get();
  fid_fabric* fabric = nullptr;
  if (const int code = fi_fabric(info->fabric_attr, &fabric, nullptr); code != 0) return fabric_error("fi_fabric", code);
  self->fabric_.reset(fabric);
  fid_domain* domain = nullptr;
  if (const int code = fi_domain(fabric, info, &domain, nullptr); code != 0) return fabric_error("fi_domain", code);
  self->domain_.reset(domain);
  self->limits_ = Limits{std::min<uint64_t>(info->ep_attr->max_msg_size, kOperationBytesMax), info->tx_attr->inject_size,
                         can_wait_on_fd(domain), supports_delivery_complete(*info)};
  return self;
}

Result<Registration> Domain::register_memory(std::span<std::byte> bytes, Access access) {
  if (bytes.empty()) return Error{Errc::kInvalid, "registering no bytes"};
  const int mode = choice_.info->domain_attr->mr_mode;
  Registration registration;
  registration.domain_ = shared_from_this();
  registration.bytes_ = bytes;
  if (access == Access::kLocal && !(mode & FI_MR_LOCAL)) return registration;

  fid_mr* mr = nullptr;
  int code = 0;
  for (int attempt = 0; attempt < kKeyAttempts; ++attempt) {
    const uint64_t key = mode & FI_MR_PROV_KEY ? 0 : random_key(choice_.info->domain_attr->mr_key_size);
    code = fi_mr_reg(domain_.get(), bytes.data(), bytes.size(), access_flags(access), 0, key, 0, &mr, nullptr);
    if (code != -FI_ENOKEY) break;  // ENOKEY: the key is taken.
  }
  if (code != 0) return registration_error(code, bytes.size());
  registration.mr_.reset(mr);
  registration.remote_address_ = mode & FI_MR_VIRT_ADDR ? reinterpret_cast<uint64_t>(bytes.data()) : 0;
  registered_bytes_ += bytes.size();
  return registration;
}

}  // namespace godwit::fabric
