// FilesetCodec: a fileset as bytes and back. Decoding verifies the frame, then every rule of model/fileset.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "model/fileset.hpp"

namespace godwit::protocol {

// Any thread. Memory: about as much as the fileset itself. Errors: kLimit, more than 1 GiB.
Result<std::vector<std::byte>> encode(const model::Fileset& fileset);
// Errors: kProtocol, it is damaged, of another version, or breaks a rule.
Result<model::Fileset> decode_fileset(std::span<const std::byte> bytes);

}  // namespace godwit::protocol
