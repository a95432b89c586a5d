#include "protocol/aligned.hpp"

#include <algorithm>
#include <cstring>

#include <flatbuffers/minireflect.h>

namespace godwit::protocol {
namespace {

using flatbuffers::ElementaryType;
using flatbuffers::Table;
using flatbuffers::TypeCode;
using flatbuffers::TypeTable;

const TypeTable* referred(const TypeTable& type, const TypeCode& code) {
  return code.sequence_ref < 0 ? nullptr : type.type_refs[code.sequence_ref]();
}

size_t alignment_of(const TypeTable& type, const TypeCode& code) {
  const TypeTable* referred_to = referred(type, code);
  if (code.base_type != flatbuffers::ET_SEQUENCE || referred_to->st != flatbuffers::ST_STRUCT)
    return flatbuffers::InlineSize(static_cast<ElementaryType>(code.base_type), referred_to);
  size_t alignment = 1;
  for (size_t i = 0; i < referred_to->num_elems; ++i)
    alignment = std::max(alignment, alignment_of(*referred_to, referred_to->type_codes[i]));
  return alignment;
}

const uint8_t* field_of(const Table& table, size_t index) {
  return table.GetAddressOf(flatbuffers::FieldIndexToOffset(static_cast<flatbuffers::voffset_t>(index)));
}

const uint8_t* target_of(const uint8_t* offset) { return offset + flatbuffers::ReadScalar<flatbuffers::uoffset_t>(offset); }

// The type of a union's member; NULL: none, or one that nobody here knows, and so nobody reads.
const TypeTable* member_of(const TypeTable& type, const uint8_t* chosen) {
  if (chosen == nullptr) return nullptr;
  const int64_t index = flatbuffers::LookupEnum(*chosen, type.values, type.num_elems);
  if (index < 0 || static_cast<size_t>(index) >= type.num_elems) return nullptr;
  return referred(type, type.type_codes[index]);
}

bool is_aligned(const uint8_t* vector, const TypeTable& type, const TypeCode& code) {
  const auto count = flatbuffers::ReadScalar<flatbuffers::uoffset_t>(vector);
  if (count == 0) return true;  // The builder does not align those either.
  const uint8_t* first = vector + sizeof(flatbuffers::uoffset_t);
  if (reinterpret_cast<uintptr_t>(first) % alignment_of(type, code) != 0) return false;
  const TypeTable* element = referred(type, code);
  if (code.base_type != flatbuffers::ET_SEQUENCE || element->st != flatbuffers::ST_TABLE) return true;
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* offset = first + i * sizeof(flatbuffers::uoffset_t);
    if (!vectors_are_aligned(*reinterpret_cast<const Table*>(target_of(offset)), *element)) return false;
  }
  return true;
}

}  // namespace

Aligned::Aligned(std::span<const std::byte> bytes) : data_(reinterpret_cast<const uint8_t*>(bytes.data())) {
  if (reinterpret_cast<uintptr_t>(data_) % sizeof(uint64_t) == 0) return;
  copy_.resize((bytes.size() + sizeof(uint64_t) - 1) / sizeof(uint64_t));
  std::memcpy(copy_.data(), bytes.data(), bytes.size());
  data_ = reinterpret_cast<const uint8_t*>(copy_.data());
}

bool vectors_are_aligned(const Table& root, const TypeTable& type) {
  for (size_t i = 0; i < type.num_elems; ++i) {
    const TypeCode& code = type.type_codes[i];
    const uint8_t* field = field_of(root, i);
    if (field == nullptr) continue;
    if (code.is_repeating) {
      if (!is_aligned(target_of(field), type, code)) return false;
      continue;
    }
    if (code.base_type != flatbuffers::ET_SEQUENCE) continue;
    const TypeTable* refers = referred(type, code);
    if (refers->st == flatbuffers::ST_STRUCT) continue;  // In the table itself, whose fields the verifier checks.
    if (refers->st == flatbuffers::ST_UNION) refers = member_of(*refers, field_of(root, i - 1));
    if (refers != nullptr && !vectors_are_aligned(*reinterpret_cast<const Table*>(target_of(field)), *refers)) return false;
  }
  return true;
}

}  // namespace godwit::protocol
