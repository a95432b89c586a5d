#include "godwit-h5stage/stage.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>
#include <xxhash.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

using nlohmann::json;

constexpr std::string_view kMagic = "GODWITH5";
constexpr uint64_t kVersion = 1;
constexpr size_t kNumber = 8;
constexpr size_t kQuotedMax = 40;       // Of what is no number.
constexpr size_t kBegin = 4 * kNumber;  // Magic, version, and the two sizes.

void append(std::string& bytes, uint64_t number) {
  for (size_t byte = 0; byte < kNumber; ++byte) bytes += static_cast<char>(number >> (8 * byte) & 0xff);
}

uint64_t number_at(std::string_view bytes, size_t at) {
  uint64_t number = 0;
  for (size_t byte = kNumber; byte-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[at + byte]);
  return number;
}

json json_of(const StoredDataset& dataset) {
  json parts = json::array();
  for (const StoredPart& part : dataset.parts)
    parts.push_back({{"first", part.first},
                     {"pieces", part.pieces},
                     {"bytes", part.bytes},
                     {"id", part.id},
                     {"name", part.name},
                     {"address", part.address}});
  // Names of HDF5 are any bytes, and JSON's are UTF-8.
  const std::vector<uint8_t> path(dataset.path.begin(), dataset.path.end());
  return {{"path", path},
          {"dims", dataset.shape.dims},
          {"chunk", dataset.shape.chunk},
          {"element_bytes", dataset.shape.element_bytes},
          {"is_filtered", dataset.shape.is_filtered},
          {"parts", std::move(parts)},
          {"digests", dataset.digests}};
}

[[noreturn]] void refuse(std::string_view why) { throw Failure(GODWIT_ERR_CORRUPT, fmt::format("the stage's head {}", why)); }

// The library's own get() makes a number of everything that is near one: of -1, of 1.5, of 300 for a byte.
template <class T>
T number(const json& value) {
  if (!value.is_number_unsigned() || !std::in_range<T>(value.get<uint64_t>()))
    refuse(fmt::format("cannot be read: {} where a whole number up to {} must be",
                       value.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, kQuotedMax),
                       std::numeric_limits<T>::max()));
  return static_cast<T>(value.get<uint64_t>());
}

template <class List>
void get_numbers(const json& values, List& list) {
  if (!values.is_array()) refuse("cannot be read: something where a list of numbers must be");
  for (const json& value : values)
    list.push_back(static_cast<typename List::value_type>(number<std::make_unsigned_t<typename List::value_type>>(value)));
}

StoredDataset dataset_of(const json& from) {
  StoredDataset dataset;
  get_numbers(from.at("path"), dataset.path);
  get_numbers(from.at("dims"), dataset.shape.dims);
  get_numbers(from.at("chunk"), dataset.shape.chunk);
  dataset.shape.element_bytes = number<uint64_t>(from.at("element_bytes"));
  from.at("is_filtered").get_to(dataset.shape.is_filtered);
  get_numbers(from.at("digests"), dataset.digests);
  for (const json& part : from.at("parts"))
    dataset.parts.push_back({number<size_t>(part.at("first")), number<size_t>(part.at("pieces")),
                             number<uint64_t>(part.at("bytes")), part.at("id").get<std::string>(),
                             part.at("name").get<std::string>(), part.at("address").get<std::string>()});
  return dataset;
}

// Whether the parts hold all pieces, in their order.
bool fits(const StoredDataset& dataset, uint64_t piece_bytes) {
  const Pieces pieces(dataset.shape, piece_bytes);
  size_t next = 0;
  for (const StoredPart& part : dataset.parts) {
    if (part.first != next || part.pieces == 0 || part.pieces > pieces.size() - next) return false;
    uint64_t bytes = 0;
    for (size_t piece = 0; piece < part.pieces; ++piece) bytes += pieces.bytes(next + piece);
    if (bytes != part.bytes) return false;
    next += part.pieces;
  }
  return next == pieces.size() && dataset.digests.size() == next;
}

}  // namespace

uint64_t Stage::bytes() const {
  uint64_t bytes = 0;
  for (const StoredDataset& dataset : datasets)
    for (const StoredPart& part : dataset.parts) bytes += part.bytes;
  return bytes;
}

size_t Stage::parts() const {
  size_t parts = 0;
  for (const StoredDataset& dataset : datasets) parts += dataset.parts.size();
  return parts;
}

std::string to_text(const Stage& stage) {
  json datasets = json::array();
  for (const StoredDataset& dataset : stage.datasets) datasets.push_back(json_of(dataset));
  const json whole{
      {"file", stage.file}, {"time", stage.time}, {"piece_bytes", stage.piece_bytes}, {"datasets", std::move(datasets)}};
  return whole.dump(-1, ' ', false, json::error_handler_t::replace);
}

Stage from_text(std::string_view text) {
  Stage stage;
  try {
    const json whole = json::parse(text);
    whole.at("file").get_to(stage.file);
    whole.at("time").get_to(stage.time);
    stage.piece_bytes = number<uint64_t>(whole.at("piece_bytes"));
    for (const json& dataset : whole.at("datasets")) stage.datasets.push_back(dataset_of(dataset));
    for (const StoredDataset& dataset : stage.datasets)
      if (!fits(dataset, stage.piece_bytes)) refuse("tells of parts that do not fit their dataset");
  } catch (const json::exception& error) {
    refuse(fmt::format("cannot be read: {}", error.what()));
  } catch (const Failure& failure) {
    if (failure.error() == GODWIT_ERR_CORRUPT) throw;
    refuse(fmt::format("cannot be true: {}", failure.what()));
  }
  return stage;
}

std::string encode_head(std::string_view text, std::string_view skeleton) {
  std::string bytes(kMagic);
  bytes.reserve(kBegin + text.size() + skeleton.size() + kNumber);
  append(bytes, kVersion);
  append(bytes, text.size());
  append(bytes, skeleton.size());
  bytes += text;
  bytes += skeleton;
  append(bytes, digest_of(bytes.data(), bytes.size()));
  return bytes;
}

Head decode_head(std::string_view bytes) {
  if (bytes.size() < kBegin + kNumber || !bytes.starts_with(kMagic)) refuse("is none");
  if (number_at(bytes, kNumber) != kVersion)
    throw Failure(GODWIT_ERR_VERSION,
                  fmt::format("the stage is of version {}, and this program knows {}", number_at(bytes, kNumber), kVersion));
  const size_t room = bytes.size() - kBegin - kNumber;
  const uint64_t text_bytes = number_at(bytes, 2 * kNumber), skeleton_bytes = number_at(bytes, 3 * kNumber);
  if (text_bytes > room || skeleton_bytes != room - text_bytes) refuse("is damaged: its sizes do not fit");
  if (number_at(bytes, bytes.size() - kNumber) != digest_of(bytes.data(), bytes.size() - kNumber))
    refuse("is damaged: its digest is another");
  return Head{bytes.substr(kBegin, text_bytes), bytes.substr(kBegin + text_bytes, skeleton_bytes)};
}

uint64_t digest_of(const void* data, size_t size) { return XXH3_64bits(data, size); }

}  // namespace godwit::h5stage
