#include "godwit-h5stage/dataset.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <cstddef>
#include <vector>

#include "godwit-h5stage/failure.hpp"
#include "godwit-h5stage/types.hpp"

namespace godwit::h5stage {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Failure(GODWIT_ERR_UNSUPPORTED, fmt::format("dataset {} cannot travel: {}", path, why));
}

void check_type(hid_t type, const std::string& path) {
  const std::string why = why_it_stays(type);
  if (why.empty()) return;
  const H5T_class_t kind = H5Tget_class(type);
  const bool is_inside = kind == H5T_COMPOUND || kind == H5T_ARRAY;
  refuse(path, is_inside ? fmt::format("its type, {}, has in it what is {}", kind_of(type), why) : "its type is " + why);
}

void check_filters(hid_t how, const std::string& path) {
  for (int index = 0; index < H5Pget_nfilters(how); ++index) {
    unsigned flags = 0, config = 0;
    size_t values = 0;
    char name[64] = "";
    const H5Z_filter_t filter =
        H5Pget_filter2(how, static_cast<unsigned>(index), &flags, &values, nullptr, sizeof name, name, &config);
    unsigned can = 0;
    const bool is_here = filter >= 0 && H5Zfilter_avail(filter) > 0 && H5Zget_filter_info(filter, &can) >= 0;
    constexpr unsigned kBoth = H5Z_FILTER_CONFIG_ENCODE_ENABLED | H5Z_FILTER_CONFIG_DECODE_ENABLED;
    if (!is_here || (can & kBoth) != kBoth)
      refuse(path, fmt::format("this HDF5 cannot both read and write its filter {} ({})", filter, name));
  }
}

void copy_compact_data(hid_t from, hid_t to, hid_t type, hid_t space, const std::string& path) {
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (count <= 0) return;
  std::vector<std::byte> values(static_cast<size_t>(count) * H5Tget_size(type));
  require(H5Dread(from, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), GODWIT_ERR_IO, "reading dataset " + path);
  require(H5Dwrite(to, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), GODWIT_ERR_IO, "copying dataset " + path);
}

// Nothing: no data were ever written to it. That HDF5 cannot tell is an error, and not the same.
std::optional<Shape> shape_of(hid_t from, hid_t type, hid_t space, hid_t how, const std::string& path) {
  const std::string what = "reading dataset " + path;
  const hssize_t points = H5Sget_simple_extent_npoints(space);
  require(points < 0 ? -1 : 0, GODWIT_ERR_IO, what);
  if (points == 0) return std::nullopt;
  H5D_space_status_t status = H5D_SPACE_STATUS_ERROR;
  require(H5Dget_space_status(from, &status), GODWIT_ERR_IO, what);
  if (status == H5D_SPACE_STATUS_NOT_ALLOCATED) return std::nullopt;
  Shape shape;
  const int rank = H5Sget_simple_extent_ndims(space);
  require(rank, GODWIT_ERR_IO, what);
  std::vector<hsize_t> counts(static_cast<size_t>(rank));
  require(H5Sget_simple_extent_dims(space, counts.data(), nullptr), GODWIT_ERR_IO, what);
  shape.dims.assign(counts.begin(), counts.end());
  if (H5Pget_layout(how) == H5D_CHUNKED) {
    require(H5Pget_chunk(how, rank, counts.data()), GODWIT_ERR_IO, what);
    shape.chunk.assign(counts.begin(), counts.end());
  }
  shape.element_bytes = H5Tget_size(type);
  shape.is_filtered = H5Pget_nfilters(how) > 0;
  return shape;
}

}  // namespace

EmptyTwin make_twin(hid_t from, hid_t group, const std::string& name, hid_t how_linked, const std::string& path, Twins& twins) {
  const std::string what = "dataset " + path;
  const Hid type = owned(H5Dget_type(from), GODWIT_ERR_IO, what);
  const Hid space = owned(H5Dget_space(from), GODWIT_ERR_IO, what);
  const Hid how = owned(H5Dget_create_plist(from), GODWIT_ERR_IO, what);
  const H5D_layout_t layout = H5Pget_layout(how);
  check_type(type, path);
  check_filters(how, path);
  if (layout == H5D_VIRTUAL) refuse(path, "it is a virtual dataset, whose data is in others");
  if (H5Pget_external_count(how) > 0) refuse(path, "its data is in external files");
  const Hid kept_as = twins.type(type);
  H5D_alloc_time_t allocated = H5D_ALLOC_TIME_DEFAULT;
  H5Pget_alloc_time(how, &allocated);
  // The skeleton would have room for the data.
  if (layout != H5D_COMPACT && allocated == H5D_ALLOC_TIME_EARLY) H5Pset_alloc_time(how, H5D_ALLOC_TIME_DEFAULT);
  EmptyTwin twin{owned(H5Dcreate2(group, name.c_str(), kept_as, space, how_linked, how, H5P_DEFAULT), GODWIT_ERR_IO, what), {}};
  if (layout == H5D_COMPACT) {
    copy_compact_data(from, twin.dataset, type, space, path);
  } else {
    twin.shape = shape_of(from, type, space, how, path);
  }
  return twin;
}

}  // namespace godwit::h5stage
