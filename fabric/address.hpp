// Address: where a node listens, as users write it: "tcp://10.0.0.1:7411", "shm://node-a".
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace godwit::fabric {

struct Address {
  std::string provider;  // libfabric's name: "tcp", "verbs", "shm", "tcp;ofi_rxm".
  std::string location;  // "host:port", "[v6]:port", or the endpoint's own name (shm).

  bool operator==(const Address&) const = default;
};

// Errors: kInvalid, no "://", an empty part, longer than 256 bytes, or a control character in it.
Result<Address> parse_address(std::string_view text);
std::string to_string(const Address& address);

}  // namespace godwit::fabric
