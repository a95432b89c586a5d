// Transfer: pieces of a dataset between an HDF5 file and the regions of a stage.
#pragma once

#include <hdf5.h>

#include <cstddef>
#include <functional>
#include <godwit/godwit.hpp>
#include <optional>
#include <string>
#include <vector>

#include "godwit-h5stage/hid.hpp"
#include "godwit-h5stage/pieces.hpp"
#include "godwit-h5stage/stage.hpp"

namespace godwit::h5stage {

constexpr size_t kRounds = 8;  // Pieces that a rank moves by itself before it asks whether others have failed.

// Whether this rank can open it (`flags` of open(2)): one that cannot would keep the others waiting inside HDF5. Throws
// Failure: IO.
void check_reach(const std::string& file, int flags);

// All ranks at once. Throws Failure: IO, or CORRUPT for a file that is not whole.
Hid open_by_all(const std::string& file, unsigned flags);

// A dataset of a file that all ranks have open. Of a file that may be written it is made and destroyed by all ranks at once.
class OpenDataset {
 public:
  // Throws Failure: IO, it cannot be opened; CORRUPT, it is not shaped as `shape` says, or its data is in another file: whoever
  // made the stage must not choose where this user writes.
  OpenDataset(hid_t file, const std::string& path, const Shape& shape);

  // The elements of the box, as they are in the file, one after the other. Throws Failure: IO.
  void read(const Box& box, std::byte* into) const;
  void write(const Box& box, const std::byte* from) const;
  // By all ranks at once; one without a box writes nothing. HDF5 wants it where there are filters.
  void write_by_all(const std::optional<Box>& box, const std::byte* from) const;

 private:
  void put(const std::optional<Box>& box, const std::byte* from, hid_t how) const;
  Hid memory_of(const Box& box) const;

  std::string path_;
  Hid dataset_, type_, space_;
};

// Where a piece is: its part, and its offset in that part's region.
struct Spot {
  size_t part = 0;
  uint64_t offset = 0, bytes = 0;
};
// Of all pieces of the dataset.
std::vector<Spot> spots_of(const StoredDataset& dataset, const Pieces& pieces);

// The region of the part that was asked for last. One thread.
class PartRegion {
 public:
  explicit PartRegion(const godwit::Client& client) : client_(client) {}
  const godwit::Region& of(const StoredPart& part);

 private:
  const godwit::Client& client_;
  std::string id_;
  std::optional<godwit::Region> region_;
};

}  // namespace godwit::h5stage
