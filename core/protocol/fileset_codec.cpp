#include "protocol/fileset_codec.hpp"

#include <optional>

#include "fileset_generated.h"
#include "protocol/aligned.hpp"

namespace godwit::protocol {
namespace {

using model::FileEntry;
using model::FileKind;

constexpr uint32_t kWhole = UINT32_MAX;     // Of extents.
constexpr uint32_t kNoXattrs = UINT32_MAX;  // Where they were asked for.

bool is_whole(const FileEntry& entry) { return entry.data.size() == 1 && entry.data[0] == Extent{0, entry.size_bytes}; }

uint32_t count_of_xattrs(const FileEntry& entry) {
  if (!entry.xattrs) return 0;
  return entry.xattrs->empty() ? kNoXattrs : static_cast<uint32_t>(entry.xattrs->size());
}

wire::FileRow row_of(const FileEntry& entry) {
  const uint32_t link = entry.kind == FileKind::kHardLink ? entry.same_as : static_cast<uint32_t>(entry.link.size());
  return wire::FileRow(static_cast<uint8_t>(entry.kind), static_cast<uint8_t>(entry.name.size()),
                       static_cast<uint16_t>(entry.mode), entry.parent, entry.user, entry.group, entry.modified.seconds,
                       entry.size_bytes, entry.modified.nanoseconds, link,
                       is_whole(entry) ? kWhole : static_cast<uint32_t>(entry.data.size()), count_of_xattrs(entry));
}

// What the rows take from, in their order. Whoever takes more than there is gets an error, never a byte of something else.
class Supply {
 public:
  // `listing_bytes`: of the whole list, and so the most that all attributes have together: a table may stand in more than one
  // row.
  Supply(const wire::Fileset& fileset, size_t listing_bytes) : fileset_(fileset), xattr_bytes_(listing_bytes) {}

  bool take_text(size_t bytes, std::string& text) {
    const auto* all = fileset_.text();
    if (bytes > (all == nullptr ? 0 : all->size()) - text_) return false;
    if (bytes > 0) text.assign(reinterpret_cast<const char*>(all->data()) + text_, bytes);
    text_ += bytes;
    return true;
  }
  bool take_extents(uint32_t count, std::vector<Extent>& data) {
    const auto* all = fileset_.extents();
    if (count > (all == nullptr ? 0 : all->size()) - extents_) return false;
    for (uint32_t i = 0; i < count; ++i) {
      const wire::ExtentRow* row = all->Get(extents_++);
      data.push_back({row->offset_bytes(), row->length_bytes()});
    }
    return true;
  }
  bool take_xattrs(uint32_t count, std::optional<std::vector<model::Xattr>>& xattrs) {
    if (count == 0) return true;
    xattrs.emplace();
    if (count == kNoXattrs) return true;
    const auto* all = fileset_.xattrs();
    if (count > (all == nullptr ? 0 : all->size()) - xattrs_) return false;
    const auto text = [](const flatbuffers::Vector<uint8_t>* bytes) {
      return bytes == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    };
    for (uint32_t i = 0; i < count; ++i) {
      const wire::XattrRow* row = all->Get(xattrs_++);
      const size_t bytes = size_of(row->name()) + size_of(row->value());
      if (bytes > xattr_bytes_) return false;
      xattr_bytes_ -= bytes;
      xattrs->push_back({text(row->name()), text(row->value())});
    }
    return true;
  }

 private:
  static size_t size_of(const flatbuffers::Vector<uint8_t>* bytes) { return bytes == nullptr ? 0 : bytes->size(); }

  const wire::Fileset& fileset_;
  size_t xattr_bytes_;
  size_t text_ = 0;
  uint32_t extents_ = 0;
  uint32_t xattrs_ = 0;
};

bool read_row(const wire::FileRow& row, Supply& supply, FileEntry& entry) {
  if (row.kind() > static_cast<uint8_t>(FileKind::kHardLink)) return false;
  entry.kind = static_cast<FileKind>(row.kind());
  entry.parent = row.parent();
  entry.mode = row.mode();
  entry.user = row.user();
  entry.group = row.group();
  entry.modified = {row.modified_seconds(), row.modified_nanoseconds()};
  entry.size_bytes = row.size_bytes();
  if (!supply.take_text(row.name_bytes(), entry.name)) return false;
  if (entry.kind == FileKind::kHardLink)
    entry.same_as = row.link();
  else if (!supply.take_text(row.link(), entry.link))
    return false;
  if (row.extents() == kWhole)
    entry.data.push_back({0, entry.size_bytes});
  else if (!supply.take_extents(row.extents(), entry.data))
    return false;
  return supply.take_xattrs(row.xattrs(), entry.xattrs);
}

}  // namespace

uint64_t listing_bytes(const FileEntry& entry) {
  uint64_t bytes = sizeof(wire::FileRow) + entry.name.size() + entry.link.size() + entry.data.size() * sizeof(wire::ExtentRow);
  if (!entry.xattrs) return bytes;
  for (const model::Xattr& xattr : *entry.xattrs) bytes += xattr.name.size() + xattr.value.size() + 32;
  return bytes;
}

Result<std::vector<std::byte>> encode(const model::Fileset& fileset) {
  uint64_t bytes = 0;
  for (const FileEntry& entry : fileset.entries) bytes += listing_bytes(entry);
  if (bytes > kListingBytesMax)
    return Error{Errc::kLimit, "the list of the files is longer than 1 GiB: migrate a part at a time"};
  std::vector<wire::FileRow> rows;
  std::vector<uint8_t> text;
  std::vector<wire::ExtentRow> extents;
  std::vector<flatbuffers::Offset<wire::XattrRow>> xattrs;
  flatbuffers::FlatBufferBuilder builder(bytes + 1024);
  rows.reserve(fileset.entries.size());
  for (const FileEntry& entry : fileset.entries) {
    rows.push_back(row_of(entry));
    text.insert(text.end(), entry.name.begin(), entry.name.end());
    text.insert(text.end(), entry.link.begin(), entry.link.end());
    if (!is_whole(entry))
      for (const Extent& extent : entry.data) extents.emplace_back(extent.offset_bytes, extent.length_bytes);
    if (!entry.xattrs) continue;
    for (const model::Xattr& xattr : *entry.xattrs) {
      const auto name = builder.CreateVector(reinterpret_cast<const uint8_t*>(xattr.name.data()), xattr.name.size());
      const auto value = builder.CreateVector(reinterpret_cast<const uint8_t*>(xattr.value.data()), xattr.value.size());
      xattrs.push_back(wire::CreateXattrRow(builder, name, value));
    }
  }
  const auto xattrs_offset = builder.CreateVector(xattrs);
  const auto extents_offset = builder.CreateVectorOfStructs(extents);
  const auto text_offset = builder.CreateVector(text);
  const auto rows_offset = builder.CreateVectorOfStructs(rows);
  wire::FinishFilesetBuffer(builder, wire::CreateFileset(builder, rows_offset, text_offset, extents_offset, xattrs_offset));
  const auto* start = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
  return std::vector<std::byte>(start, start + builder.GetSize());
}

Result<model::Fileset> decode_fileset(std::span<const std::byte> bytes) {
  const Error damaged{Errc::kProtocol, "the list of files is damaged or of another version"};
  if (bytes.size() < sizeof(flatbuffers::uoffset_t) + flatbuffers::kFileIdentifierLength ||
      bytes.size() > 2 * kListingBytesMax - 1)
    return damaged;
  const Aligned aligned(bytes);
  // No table is shorter than 8 bytes: as many as there are bytes is no bound of its own.
  flatbuffers::Verifier verifier(aligned.data(), bytes.size(), 4, static_cast<flatbuffers::uoffset_t>(bytes.size() / 8 + 1));
  if (!wire::VerifyFilesetBuffer(verifier)) return damaged;
  const wire::Fileset& stored = *wire::GetFileset(aligned.data());
  if (!vectors_are_aligned(reinterpret_cast<const flatbuffers::Table&>(stored), *wire::FilesetTypeTable())) return damaged;
  if (stored.rows() == nullptr) return damaged;
  model::Fileset fileset;
  fileset.entries.resize(stored.rows()->size());
  Supply supply(stored, bytes.size());
  for (uint32_t i = 0; i < stored.rows()->size(); ++i)
    if (!read_row(*stored.rows()->Get(i), supply, fileset.entries[i])) return damaged;
  if (auto sound = model::check(fileset); !sound) return std::move(sound).error();
  return fileset;
}

}  // namespace godwit::protocol
