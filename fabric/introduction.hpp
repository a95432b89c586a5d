// Introduction: what follows the packet header of kHello and kAccept: a Hello, and the endpoint to answer to (RDM).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "fabric/endpoint_name.hpp"
#include "fabric/hello.hpp"

namespace godwit::fabric {

constexpr size_t kNameBytesMax = 512;

// Layout: docs/design/wire.md.
std::vector<std::byte> encode_introduction(const Hello& hello, const EndpointName& name);
// The endpoint's name. Nothing if it is missing, too long, or not whole. The Hello before it: decode_hello().
std::optional<EndpointName> introduced_name(std::span<const std::byte> introduction);

}  // namespace godwit::fabric
