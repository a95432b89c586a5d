#include "godwit-h5stage/pieces.hpp"

#include <godwit/godwit.h>

#include <algorithm>
#include <utility>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

uint64_t product(uint64_t a, uint64_t b) {
  uint64_t result = 0;
  if (__builtin_mul_overflow(a, b, &result)) throw Failure(GODWIT_ERR_LIMIT, "a dataset has more bytes than 64 bits can count");
  return result;
}

uint64_t elements_of(const std::vector<uint64_t>& count) {
  uint64_t elements = 1;
  for (const uint64_t one : count) elements = product(elements, one);
  return elements;
}

void check(const Shape& shape) {
  const bool is_whole = shape.element_bytes > 0 && std::ranges::find(shape.dims, 0u) == shape.dims.end() &&
                        std::ranges::find(shape.chunk, 0u) == shape.chunk.end() &&
                        (shape.chunk.empty() || shape.chunk.size() == shape.dims.size());
  if (!is_whole) throw Failure(GODWIT_ERR_INVALID, "a dataset has a shape that none can have");
}

// What boxes are multiples of: chunks, or elements where there are none, or none that fits.
std::vector<uint64_t> grain_of(const Shape& shape, uint64_t bytes_max) {
  std::vector<uint64_t> grain(shape.dims.size(), 1);
  if (shape.chunk.empty()) return grain;
  for (size_t dim = 0; dim < grain.size(); ++dim) grain[dim] = std::min(shape.chunk[dim], shape.dims[dim]);
  const bool fits = product(elements_of(grain), shape.element_bytes) <= bytes_max;
  if (!fits && !shape.is_filtered) std::ranges::fill(grain, 1);
  return grain;
}

}  // namespace

Pieces::Pieces(Shape shape, uint64_t bytes_max) : shape_(std::move(shape)) {
  check(shape_);
  tile_ = grain_of(shape_, bytes_max);
  bytes_total_ = product(elements_of(shape_.dims), shape_.element_bytes);
  // Grows along the fastest dimension first; along a slower one only when the faster are covered, so that a box is one row of
  // bytes in the file wherever it can be.
  for (size_t dim = tile_.size(); dim-- > 0;) {
    const uint64_t grain = tile_[dim];
    const uint64_t grain_bytes = product(elements_of(tile_), shape_.element_bytes);
    const uint64_t fit = std::max<uint64_t>(bytes_max / grain_bytes, 1);
    tile_[dim] = fit >= shape_.dims[dim] / grain + 1 ? shape_.dims[dim] : std::min(fit * grain, shape_.dims[dim]);
    if (tile_[dim] < shape_.dims[dim]) break;
  }
  for (size_t dim = 0; dim < tile_.size(); ++dim) {
    grid_.push_back((shape_.dims[dim] - 1) / tile_[dim] + 1);
    const uint64_t boxes = product(size_, grid_.back());
    if (boxes > kPiecesMax) throw Failure(GODWIT_ERR_LIMIT, "a dataset has too many pieces; a larger --buffer makes fewer");
    size_ = boxes;
  }
}

Box Pieces::box(size_t index) const {
  Box box{std::vector<uint64_t>(tile_.size()), std::vector<uint64_t>(tile_.size())};
  for (size_t dim = tile_.size(); dim-- > 0;) {
    box.start[dim] = index % grid_[dim] * tile_[dim];
    box.count[dim] = std::min(tile_[dim], shape_.dims[dim] - box.start[dim]);
    index /= grid_[dim];
  }
  return box;
}

uint64_t Pieces::bytes(size_t index) const { return elements_of(box(index).count) * shape_.element_bytes; }

uint64_t Pieces::bytes_max() const { return elements_of(tile_) * shape_.element_bytes; }

}  // namespace godwit::h5stage
