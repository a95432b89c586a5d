// Pieces: how a dataset is cut into the hyperslabs that ranks read and write, one at a time. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace godwit::h5stage {

// A hyperslab: where it begins, and how many elements of each dimension it has.
struct Box {
  std::vector<uint64_t> start, count;
};

// Of a dataset that has at least one element. A scalar has no dimensions.
struct Shape {
  std::vector<uint64_t> dims;
  std::vector<uint64_t> chunk;  // Empty: not chunked.
  uint64_t element_bytes = 0;   // At least 1.
  bool is_filtered = false;     // A chunk can only be read and written as a whole.
};

// Boxes that cover all elements, none of them twice, in the order of their starts, the last dimension first. Each has at most
// `bytes_max`, or one element; of a chunked dataset each is of whole chunks, which of a filtered one may have more than
// `bytes_max`; chunks of others are cut if they have more.
class Pieces {
 public:
  // Throws Failure: LIMIT, more bytes than 64 bits count, or more than kPiecesMax pieces; INVALID, a shape as none is.
  Pieces(Shape shape, uint64_t bytes_max);

  size_t size() const { return size_; }
  Box box(size_t index) const;
  uint64_t bytes(size_t index) const;
  // Of the largest one.
  uint64_t bytes_max() const;
  uint64_t bytes_total() const { return bytes_total_; }

  static constexpr size_t kPiecesMax = size_t{1} << 24;

 private:
  Shape shape_;
  std::vector<uint64_t> tile_;  // Elements of a box, where the dataset does not end.
  std::vector<uint64_t> grid_;  // Boxes in each dimension.
  size_t size_ = 1;
  uint64_t bytes_total_ = 0;
};

}  // namespace godwit::h5stage
