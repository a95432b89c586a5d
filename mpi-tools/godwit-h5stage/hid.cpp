#include "godwit-h5stage/hid.hpp"

#include <fmt/format.h>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {

std::string hdf5_reason() {
  std::string reason;
  const auto take = [](unsigned depth, const H5E_error2_t* entry, void* out) {
    if (depth == 0 && entry->desc != nullptr) *static_cast<std::string*>(out) = entry->desc;
    return herr_t{0};
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take, &reason);
  return reason.empty() ? "HDF5 gives no reason" : reason;
}

Hid owned(hid_t id, int error, const std::string& what) {
  if (id < 0) throw Failure(error, fmt::format("{}: {}", what, hdf5_reason()));
  return Hid(id);
}

void require(herr_t result, int error, const std::string& what) {
  if (result < 0) throw Failure(error, fmt::format("{}: {}", what, hdf5_reason()));
}

void keep_hdf5_quiet() { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

}  // namespace godwit::h5stage
