#include "godwit-h5stage/attributes.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

std::vector<std::string> names_of(hid_t object, const std::string& path) {
  std::vector<std::string> names;
  const auto take = [](hid_t, const char* name, const H5A_info_t*, void* out) {
    static_cast<std::vector<std::string>*>(out)->emplace_back(name);
    return herr_t{0};
  };
  // In the order that they were made in, if the file knows it.
  if (H5Aiterate2(object, H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, take, &names) >= 0) return names;
  names.clear();
  require(H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, nullptr, take, &names), GODWIT_ERR_IO, "the attributes of " + path);
  return names;
}

void lead_to_twins(hid_t type, std::byte* value, const Twins& twins);

void lead_each(hid_t type, std::byte* values, size_t count, const Twins& twins) {
  const size_t size = H5Tget_size(type);
  for (size_t index = 0; index < count; ++index) lead_to_twins(type, values + index * size, twins);
}

// The references in one value, in memory, whatever it is made of.
void lead_to_twins(hid_t type, std::byte* value, const Twins& twins) {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_REFERENCE) {
    hobj_ref_t reference = 0;
    std::memcpy(&reference, value, sizeof reference);
    const haddr_t twin = reference == 0 ? HADDR_UNDEF : twins.of(reference);
    reference = twin == HADDR_UNDEF ? 0 : twin;
    std::memcpy(value, &reference, sizeof reference);
  } else if (kind == H5T_VLEN) {
    hvl_t sequence{};
    std::memcpy(&sequence, value, sizeof sequence);
    lead_each(Hid(H5Tget_super(type)), static_cast<std::byte*>(sequence.p), sequence.len, twins);
  } else if (kind == H5T_ARRAY) {
    const Hid element(H5Tget_super(type));
    lead_each(element, value, H5Tget_size(type) / H5Tget_size(element), twins);
  } else if (kind == H5T_COMPOUND) {
    for (unsigned member = 0; member < static_cast<unsigned>(H5Tget_nmembers(type)); ++member)
      lead_to_twins(Hid(H5Tget_member_type(type, member)), value + H5Tget_member_offset(type, member), twins);
  }
}

bool has_region_reference(hid_t type) {
  const H5T_class_t kind = H5Tget_class(type);
  if (kind == H5T_REFERENCE) return H5Tequal(type, H5T_STD_REF_OBJ) <= 0;
  if (kind == H5T_VLEN || kind == H5T_ARRAY) return has_region_reference(Hid(H5Tget_super(type)));
  if (kind != H5T_COMPOUND) return false;
  for (unsigned member = 0; member < static_cast<unsigned>(H5Tget_nmembers(type)); ++member)
    if (has_region_reference(Hid(H5Tget_member_type(type, member)))) return true;
  return false;
}

void copy_values(hid_t from, hid_t to, hid_t type, hid_t space, const Twins& twins, const std::string& what) {
  const hssize_t count = H5Sget_simple_extent_npoints(space);
  if (count <= 0) return;
  std::vector<std::byte> values(static_cast<size_t>(count) * H5Tget_size(type));
  require(H5Aread(from, type, values.data()), GODWIT_ERR_IO, what);
  if (H5Tdetect_class(type, H5T_REFERENCE) > 0) lead_each(type, values.data(), static_cast<size_t>(count), twins);
  const herr_t written = H5Awrite(to, type, values.data());
  const std::string reason = written < 0 ? hdf5_reason() : "";
  H5Dvlen_reclaim(type, space, H5P_DEFAULT, values.data());
  if (written < 0) throw Failure(GODWIT_ERR_IO, fmt::format("{}: {}", what, reason));
}

void copy_attribute(hid_t from_object, hid_t to_object, const std::string& name, const std::string& path, Twins& twins) {
  const std::string what = fmt::format("attribute '{}' of {}", name, path);
  const Hid from = owned(H5Aopen(from_object, name.c_str(), H5P_DEFAULT), GODWIT_ERR_IO, what);
  const Hid type = owned(H5Aget_type(from), GODWIT_ERR_IO, what);
  const Hid space = owned(H5Aget_space(from), GODWIT_ERR_IO, what);
  const Hid how = owned(H5Aget_create_plist(from), GODWIT_ERR_IO, what);
  if (has_region_reference(type))
    throw Failure(GODWIT_ERR_UNSUPPORTED, what + " has a reference to part of a dataset, which cannot travel");
  const Hid kept_as = twins.type(type);
  const Hid to = owned(H5Acreate2(to_object, name.c_str(), kept_as, space, how, H5P_DEFAULT), GODWIT_ERR_IO, what);
  copy_values(from, to, type, space, twins, what);
}

void copy_comment(hid_t from, hid_t to, const std::string& path) {
  const ssize_t length = H5Oget_comment(from, nullptr, 0);
  if (length <= 0) return;
  std::string comment(static_cast<size_t>(length) + 1, '\0');
  if (H5Oget_comment(from, comment.data(), comment.size()) < 0) return;
  require(H5Oset_comment(to, comment.c_str()), GODWIT_ERR_IO, "the comment of " + path);
}

}  // namespace

haddr_t Twins::address_of(hid_t object) {
  H5O_info_t info{};
  require(H5Oget_info2(object, &info, H5O_INFO_BASIC), GODWIT_ERR_IO, "an object of the file");
  return info.addr;
}

haddr_t Twins::of(haddr_t from) const {
  const auto found = addresses_.find(from);
  return found == addresses_.end() ? HADDR_UNDEF : found->second;
}

Hid Twins::type(hid_t from) {
  if (H5Tcommitted(from) <= 0) return owned(H5Tcopy(from), GODWIT_ERR_IO, "a type");
  const haddr_t address = address_of(from);
  if (const haddr_t twin = of(address); twin != HADDR_UNDEF)
    return owned(H5Oopen_by_addr(skeleton_, twin), GODWIT_ERR_IO, "a committed type");
  Hid made = owned(H5Tcopy(from), GODWIT_ERR_IO, "a committed type");
  const Hid how = owned(H5Tget_create_plist(from), GODWIT_ERR_IO, "a committed type");
  require(H5Tcommit_anon(skeleton_, made, how, H5P_DEFAULT), GODWIT_ERR_IO, "a committed type");
  add(from, made);
  const hid_t id = made;
  types_.push_back(std::move(made));
  H5Iinc_ref(id);
  return Hid(id);
}

void copy_attributes(hid_t from, hid_t to, const std::string& path, Twins& twins) {
  for (const std::string& name : names_of(from, path)) copy_attribute(from, to, name, path, twins);
  copy_comment(from, to, path);
}

}  // namespace godwit::h5stage
