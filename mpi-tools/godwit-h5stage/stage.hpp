// Stage: what its head says, and the bytes that this is kept as: docs/design/h5stage.md. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "godwit-h5stage/pieces.hpp"

namespace godwit::h5stage {

// A region of a dataset's data.
struct StoredPart {
  size_t first = 0, pieces = 0;
  uint64_t bytes = 0;
  std::string id;       // 32 hexadecimal digits.
  std::string name;     // Of the region.
  std::string address;  // Where it was made. It may have moved.
};

struct StoredDataset {
  std::string path;  // In the skeleton.
  Shape shape;
  std::vector<StoredPart> parts;
  std::vector<uint64_t> digests;  // XXH3 of each piece.
};

struct Stage {
  std::string file;          // What it was made of, for people.
  std::string time;          // UTC, for people.
  uint64_t piece_bytes = 0;  // What Pieces were made with.
  std::vector<StoredDataset> datasets;

  uint64_t bytes() const;
  size_t parts() const;
};

// The stage as JSON text, for the ranks and the head.
std::string to_text(const Stage& stage);
// Throws Failure: CORRUPT, it is no such text, or its parts do not fit its pieces.
Stage from_text(std::string_view text);

// A head: magic, the text, the skeleton (an HDF5 file without data), and the digest of it all.
std::string encode_head(std::string_view text, std::string_view skeleton);

struct Head {
  std::string_view text, skeleton;  // Of the bytes decoded.
};
// Throws Failure: CORRUPT, not a head, or damaged; VERSION, of a later format.
Head decode_head(std::string_view bytes);

uint64_t digest_of(const void* data, size_t size);

}  // namespace godwit::h5stage
