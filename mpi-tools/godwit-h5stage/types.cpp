#include "godwit-h5stage/types.hpp"

#include <godwit/godwit.h>

#include "godwit-h5stage/hid.hpp"

namespace godwit::h5stage {

std::string why_it_stays(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_VLEN: return "of variable length";
    case H5T_STRING: return H5Tis_variable_str(type) > 0 ? "a string of variable length" : "";
    case H5T_REFERENCE: return "a reference";
    case H5T_ARRAY: return why_it_stays(owned(H5Tget_super(type), GODWIT_ERR_IO, "the type of an array"));
    case H5T_COMPOUND:
      for (int member = 0; member < H5Tget_nmembers(type); ++member) {
        const Hid inner = owned(H5Tget_member_type(type, static_cast<unsigned>(member)), GODWIT_ERR_IO, "the type of a member");
        if (std::string why = why_it_stays(inner); !why.empty()) return why;
      }
      return "";
    case H5T_INTEGER:
    case H5T_FLOAT:
    case H5T_TIME:
    case H5T_BITFIELD:
    case H5T_OPAQUE:
    case H5T_ENUM: return "";
    case H5T_NO_CLASS:
    case H5T_NCLASSES: break;
  }
  return "of a kind that this program does not know";
}

std::string kind_of(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_COMPOUND: return "a compound";
    case H5T_ARRAY: return "an array";
    case H5T_VLEN: return "a sequence";
    case H5T_STRING: return "a string";
    case H5T_REFERENCE: return "a reference";
    case H5T_INTEGER:
    case H5T_FLOAT:
    case H5T_TIME:
    case H5T_BITFIELD:
    case H5T_OPAQUE:
    case H5T_ENUM: return "a number";
    case H5T_NO_CLASS:
    case H5T_NCLASSES: break;
  }
  return "unknown";
}

}  // namespace godwit::h5stage
