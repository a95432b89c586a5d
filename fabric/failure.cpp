#include "fabric/failure.hpp"

#include <rdma/fi_errno.h>

#include <cerrno>
#include <cstdlib>

namespace godwit::fabric {

namespace {
std::string text_of(std::string_view what, int number) { return std::string(what) + ": " + fi_strerror(number); }
}  // namespace

Error fabric_error(std::string_view call, ssize_t number) {
  const int positive = static_cast<int>(number < 0 ? -number : number);
  return Error{positive == FI_ENOMEM ? Errc::kMemory : Errc::kFabric, text_of(call, positive)};
}

Error operation_error(std::string_view what, int number) {
  const int positive = std::abs(number);
  switch (positive) {
    case FI_ENOTCONN:
    case FI_ECONNRESET:
    case FI_ECONNABORTED:
    case FI_ECONNREFUSED:
    case FI_ESHUTDOWN:
    case FI_ECANCELED:
    case FI_ETIMEDOUT:
    case FI_EHOSTUNREACH:
    case FI_EHOSTDOWN:
    case EPIPE:
    case FI_EIO: return Error{Errc::kPeerLost, text_of(what, positive)};
    default: return Error{Errc::kFabric, text_of(what, positive)};
  }
}

}  // namespace godwit::fabric
