// EndpointName: an endpoint's address in the provider's own format, and its text form in an Address.
#pragma once

#include <rdma/fabric.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace godwit::fabric {

struct EndpointName {
  uint32_t format = FI_FORMAT_UNSPEC;  // FI_SOCKADDR_IN, FI_SOCKADDR_IN6, FI_ADDR_STR, or one only the provider knows.
  std::vector<std::byte> bytes;
  bool operator==(const EndpointName&) const = default;
};

// "host:port", "[v6]:port", "host", "[v6]", "" -> host and port; either may be empty.
// Errors: kInvalid, an unclosed bracket or a port that is no number.
Result<std::pair<std::string, std::string>> split_host_port(const std::string& location);

// The name that `location` means for the provider of `info`. Sockets: the name service is asked (may block). Strings (shm): the
// name itself. Other formats: the hexadecimal digits that location_of() printed. Errors: kInvalid, not a location;
// kUnreachable, an unknown host.
Result<EndpointName> resolve(const fi_info& info, const std::string& location);
std::string location_of(const EndpointName& name);
// Whether the bytes are what the format says, as far as it is one that we know. A name that a peer sent has to be: providers
// take a string's end and an address's length for granted.
bool is_whole(const EndpointName& name);
// Whether a socket listens at this address. tcp would share the port with it, and each would get some of the connections.
bool is_taken(const EndpointName& name);

}  // namespace godwit::fabric
