// The file driver: what HDF5 calls, over RegionFile.
#pragma once

#include <godwit/godwit_hdf5.h>

#include "hdf5/region_file.hpp"

namespace godwit::hdf5 {

// The file behind an HDF5 file's id. It stays HDF5's. Throws Error: GODWIT_ERR_INVALID, no file, or of another driver.
RegionFile& file_behind(hid_t file);
// The config of a property list. Throws Error: GODWIT_ERR_INVALID, it has another driver.
const Config& config_of(hid_t fapl);

}  // namespace godwit::hdf5
