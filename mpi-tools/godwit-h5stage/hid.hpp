// Hid: HDF5's ids that close themselves, and its errors as Failure.
#pragma once

#include <hdf5.h>

#include <string>
#include <utility>

namespace godwit::h5stage {

// Any id of HDF5's, closed when destroyed. An MPI file, and a dataset of one that may be written, are closed by all ranks.
class Hid {
 public:
  Hid() = default;
  explicit Hid(hid_t id) : id_(id) {}
  Hid(Hid&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Hid& operator=(Hid&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Hid() { close(); }
  operator hid_t() const { return id_; }
  // Negative: it failed. Another call does nothing.
  herr_t close() {
    const hid_t id = std::exchange(id_, -1);
    return id < 0 ? 0 : static_cast<herr_t>(H5Idec_ref(id) < 0 ? -1 : 0);
  }

 private:
  hid_t id_ = -1;
};

// HDF5's own reason for the last failure, its innermost one.
std::string hdf5_reason();

// The id, or the result, of a call of HDF5's. If it is negative throws Failure with `error`, `what` and HDF5's reason.
Hid owned(hid_t id, int error, const std::string& what);
void require(herr_t result, int error, const std::string& what);

// HDF5 prints nothing by itself from here on.
void keep_hdf5_quiet();

}  // namespace godwit::h5stage
