// Attributes: copied from an object of the source to its twin in the skeleton, and what both need to know of the two files.
#pragma once

#include <hdf5.h>

#include <string>
#include <unordered_map>
#include <vector>

#include "godwit-h5stage/hid.hpp"

namespace godwit::h5stage {

// What stands for what in the skeleton: objects by their addresses in the files. One thread.
class Twins {
 public:
  // `skeleton` stays the caller's, and open.
  explicit Twins(hid_t skeleton) : skeleton_(skeleton) {}

  static haddr_t address_of(hid_t object);
  void add(hid_t from, hid_t to) { addresses_[address_of(from)] = address_of(to); }
  // HADDR_UNDEF: it has none.
  haddr_t of(haddr_t from) const;
  // The type as the skeleton has it: a committed one is committed there, once, in no group; another stays as it is.
  Hid type(hid_t from);

 private:
  const hid_t skeleton_;
  std::unordered_map<haddr_t, haddr_t> addresses_;
  std::vector<Hid> types_;  // Open until the skeleton is whole: one without links would be gone.
};

// Copies all attributes, and the comment, of `from` to `to`. `path` is for messages. References to objects lead to their twins,
// and are null where there is none. Throws Failure: UNSUPPORTED, a reference to part of a dataset; IO, HDF5's reason.
void copy_attributes(hid_t from, hid_t to, const std::string& path, Twins& twins);

}  // namespace godwit::h5stage
