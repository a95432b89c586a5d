// Types: which values of HDF5 travel as their bytes.
#pragma once

#include <hdf5.h>

#include <string>

namespace godwit::h5stage {

// Why values of the type do not travel: "of variable length", "a reference", ..., also of what is inside. Empty: they do.
std::string why_it_stays(hid_t type);
// "a compound", "an array", ...: for messages.
std::string kind_of(hid_t type);

}  // namespace godwit::h5stage
