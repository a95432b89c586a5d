// Dataset: made in the skeleton as it is in the source, without its data.
#pragma once

#include <hdf5.h>

#include <optional>
#include <string>

#include "godwit-h5stage/attributes.hpp"
#include "godwit-h5stage/pieces.hpp"

namespace godwit::h5stage {

struct EmptyTwin {
  Hid dataset;
  std::optional<Shape> shape;  // Absent: it has no data, or has it in the skeleton (compact).
};

// Dataset `name` of `group`, a group of the skeleton, as `from` is: type, extent, maximal extent, chunks, filters, fill value.
// A compact one has its data, too. Throws Failure: UNSUPPORTED, its values cannot travel, a filter that this HDF5 does not
// have, external storage, or a virtual dataset; IO, HDF5's reason. All of them name `path`.
EmptyTwin make_twin(hid_t from, hid_t group, const std::string& name, hid_t how_linked, const std::string& path, Twins& twins);

}  // namespace godwit::h5stage
