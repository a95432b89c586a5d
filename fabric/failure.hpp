// Failure: libfabric's error numbers as ours.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace godwit::fabric {

// `call: fi_strerror`; `number` as libfabric returned it, negative or not. ENOMEM becomes kMemory, others kFabric.
Error fabric_error(std::string_view call, ssize_t number);
// What libfabric says about an error of an operation on a connection that was open: kPeerLost when it says that the
// peer is gone or the connection broken, else kFabric.
Error operation_error(std::string_view what, int number);

}  // namespace godwit::fabric
