// What the tests of the HDF5 file driver share: ids that close themselves, and errors as texts.
#pragma once

#include <godwit/godwit_hdf5.h>
#include <gtest/gtest.h>

#include <godwit/godwit.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/daemon.hpp"

namespace godwit::test {

// Any id of HDF5's. Closed when destroyed.
class Hid {
 public:
  explicit Hid(hid_t id) : id_(id) {}
  Hid(Hid&& other) noexcept : id_(std::exchange(other.id_, -1)) {}
  Hid& operator=(Hid&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~Hid() { close(); }
  operator hid_t() const { return id_; }
  bool is_valid() const { return id_ >= 0; }
  // Negative: it failed, and HDF5's error stack says why. Otherwise the error stack stays as it was.
  herr_t close() {
    const hid_t id = std::exchange(id_, -1);
    if (id < 0) return 0;
    const hid_t errors = H5Eget_current_stack();
    if (H5Idec_ref(id) < 0) return H5Eclose_stack(errors), -1;
    return H5Eset_current_stack(errors);
  }

 private:
  hid_t id_;
};

inline Hid fapl_for(const std::string& address, const std::string& target, bool follow = true) {
  godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
  config.address = address.c_str();
  config.target = target.c_str();
  config.client.do_not_follow = follow ? 0 : 1;
  Hid fapl(H5Pcreate(H5P_FILE_ACCESS));
  EXPECT_GE(H5Pset_fapl_godwit(fapl, &config), 0);
  return fapl;
}

// All that HDF5's error stack says, one line an entry.
inline std::string error_stack() {
  std::string text;
  H5Ewalk2(
      H5E_DEFAULT, H5E_WALK_DOWNWARD,
      [](unsigned, const H5E_error2_t* entry, void* out) {
        *static_cast<std::string*>(out) += std::string(entry->desc) + "\n";
        return herr_t{0};
      },
      &text);
  return text;
}

// Of one dimension.
inline Hid make_dataset(hid_t file, const char* name, hsize_t count) {
  const Hid space(H5Screate_simple(1, &count, nullptr));
  return Hid(H5Dcreate2(file, name, H5T_NATIVE_INT64, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
}

inline std::vector<int64_t> numbers(size_t count, int64_t seed) {
  std::vector<int64_t> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<int64_t>(i) * 2654435761 + seed;
  return values;
}

inline herr_t write_dataset(hid_t dataset, const std::vector<int64_t>& values) {
  return H5Dwrite(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
}

inline void add_dataset(hid_t file, const char* name, const std::vector<int64_t>& values) {
  const Hid dataset = make_dataset(file, name, values.size());
  EXPECT_GE(write_dataset(dataset, values), 0) << error_stack();
}

// Empty if it cannot be read.
inline std::vector<int64_t> read_dataset(hid_t file, const char* name) {
  const Hid dataset(H5Dopen2(file, name, H5P_DEFAULT));
  const Hid space(H5Dget_space(dataset));
  const hssize_t count = space.is_valid() ? H5Sget_simple_extent_npoints(space) : 0;
  std::vector<int64_t> values(count > 0 ? static_cast<size_t>(count) : 0);
  if (H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0) values.clear();
  return values;
}

// HDF5 prints no errors while one of these lives: tests look at them.
class Quiet {
 public:
  Quiet() {
    H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Quiet() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

inline std::vector<RegionInfo> regions_of(const Daemon& daemon) { return Client().regions(daemon.address()); }

inline uint64_t used_bytes(const Daemon& daemon, const std::string& target) {
  return Client().target(daemon.address(), target).info().used_bytes;
}

}  // namespace godwit::test
