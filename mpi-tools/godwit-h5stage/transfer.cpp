#include "godwit-h5stage/transfer.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

void select(hid_t space, const Box& box, const std::string& path) {
  if (box.count.empty()) return;  // A scalar is its only element.
  const std::vector<hsize_t> start(box.start.begin(), box.start.end()), count(box.count.begin(), box.count.end());
  require(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), GODWIT_ERR_INTERNAL,
          "dataset " + path);
}

// Opens it without following a link into another file.
Hid open_here(hid_t file, const std::string& path) {
  const Hid access = owned(H5Pcreate(H5P_LINK_ACCESS), GODWIT_ERR_INTERNAL, path);
  const auto refuse = [](const char*, const char*, const char*, const char*, unsigned*, hid_t, void*) { return herr_t{-1}; };
  require(H5Pset_elink_cb(access, refuse, nullptr), GODWIT_ERR_INTERNAL, path);
  Hid object = owned(H5Oopen(file, path.c_str(), access), GODWIT_ERR_IO, "cannot open dataset " + path);
  if (H5Iget_type(object) != H5I_DATASET) throw Failure(GODWIT_ERR_CORRUPT, path + " is no dataset");
  return object;
}

}  // namespace

void check_reach(const std::string& file, int flags) {
  const int opened = open(file.c_str(), flags | O_CLOEXEC);
  if (opened < 0) throw Failure(GODWIT_ERR_IO, fmt::format("{}: {} (every rank must reach it)", file, std::strerror(errno)));
  close(opened);
}

Hid open_by_all(const std::string& file, unsigned flags) {
  const Hid access = owned(H5Pcreate(H5P_FILE_ACCESS), GODWIT_ERR_INTERNAL, file);
  require(H5Pset_fapl_mpio(access, MPI_COMM_WORLD, MPI_INFO_NULL), GODWIT_ERR_INTERNAL, file);
  return owned(H5Fopen(file.c_str(), flags, access), GODWIT_ERR_IO, "cannot open " + file);
}

OpenDataset::OpenDataset(hid_t file, const std::string& path, const Shape& shape)
    : path_(path),
      dataset_(open_here(file, path)),
      type_(owned(H5Dget_type(dataset_), GODWIT_ERR_IO, "dataset " + path)),
      space_(owned(H5Dget_space(dataset_), GODWIT_ERR_IO, "dataset " + path)) {
  std::vector<hsize_t> dims(shape.dims.size());
  const bool is_alike = H5Sget_simple_extent_ndims(space_) == static_cast<int>(dims.size()) &&
                        H5Sget_simple_extent_dims(space_, dims.data(), nullptr) >= 0 &&
                        std::vector<uint64_t>(dims.begin(), dims.end()) == shape.dims &&
                        H5Tget_size(type_) == shape.element_bytes;
  if (!is_alike) throw Failure(GODWIT_ERR_CORRUPT, fmt::format("dataset {} has changed its shape", path));
  const Hid how = owned(H5Dget_create_plist(dataset_), GODWIT_ERR_IO, "dataset " + path);
  if (H5Pget_layout(how) == H5D_VIRTUAL || H5Pget_external_count(how) != 0)
    throw Failure(GODWIT_ERR_CORRUPT, fmt::format("dataset {} has its data in another file", path));
}

Hid OpenDataset::memory_of(const Box& box) const {
  if (box.count.empty()) return owned(H5Screate(H5S_SCALAR), GODWIT_ERR_INTERNAL, path_);
  const std::vector<hsize_t> count(box.count.begin(), box.count.end());
  return owned(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), GODWIT_ERR_INTERNAL, path_);
}

void OpenDataset::read(const Box& box, std::byte* into) const {
  const Hid memory = memory_of(box);
  select(space_, box, path_);
  require(H5Dread(dataset_, type_, memory, space_, H5P_DEFAULT, into), GODWIT_ERR_IO, "reading dataset " + path_);
}

void OpenDataset::put(const std::optional<Box>& box, const std::byte* from, hid_t how) const {
  const Hid memory = box ? memory_of(*box) : owned(H5Scopy(space_), GODWIT_ERR_INTERNAL, path_);
  if (box) {
    select(space_, *box, path_);
  } else {
    H5Sselect_none(space_);
    H5Sselect_none(memory);
  }
  require(H5Dwrite(dataset_, type_, memory, space_, how, from), GODWIT_ERR_IO, "writing dataset " + path_);
}

void OpenDataset::write(const Box& box, const std::byte* from) const { put(box, from, H5P_DEFAULT); }

void OpenDataset::write_by_all(const std::optional<Box>& box, const std::byte* from) const {
  const Hid how = owned(H5Pcreate(H5P_DATASET_XFER), GODWIT_ERR_INTERNAL, path_);
  require(H5Pset_dxpl_mpio(how, H5FD_MPIO_COLLECTIVE), GODWIT_ERR_INTERNAL, path_);
  put(box, from, how);
}

std::vector<Spot> spots_of(const StoredDataset& dataset, const Pieces& pieces) {
  std::vector<Spot> spots;
  for (size_t part = 0; part < dataset.parts.size(); ++part) {
    uint64_t offset = 0;
    for (size_t piece = 0; piece < dataset.parts[part].pieces; ++piece) {
      spots.push_back({part, offset, pieces.bytes(spots.size())});
      offset += spots.back().bytes;
    }
  }
  return spots;
}

const godwit::Region& PartRegion::of(const StoredPart& part) {
  if (!region_ || id_ != part.id) {
    region_.reset();
    region_.emplace(client_.region(part.address, part.id));
    id_ = part.id;
  }
  return *region_;
}

}  // namespace godwit::h5stage
