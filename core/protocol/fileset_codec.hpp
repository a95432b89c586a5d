// FilesetCodec: a fileset as bytes and back. Decoding verifies the frame, then every rule of model/fileset.hpp.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "model/fileset.hpp"

namespace godwit::protocol {

// Of all listings of a job together.
inline constexpr uint64_t kListingBytesMax = 1_GiB;
// What an entry adds to a listing, about.
uint64_t listing_bytes(const model::FileEntry& entry);

// Any thread. Memory: about as much as the fileset itself. Errors: kLimit, more than 1 GiB.
Result<std::vector<std::byte>> encode(const model::Fileset& fileset);
// Errors: kProtocol, it is damaged, of another version, or breaks a rule.
Result<model::Fileset> decode_fileset(std::span<const std::byte> bytes);

}  // namespace godwit::protocol
