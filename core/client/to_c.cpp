#include "client/to_c.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "model/phase.hpp"
#include "model/time_window.hpp"

namespace godwit::client {
namespace {

// Cut where it is too long: a daemon's fields are within these bounds, so only a hostile one's are cut.
template <size_t N>
void put(char (&field)[N], std::string_view text) {
  const size_t length = std::min(text.size(), N - 1);
  std::ranges::copy(text.substr(0, length), field);
  field[length] = '\0';
}

template <size_t N>
void put(char (&field)[N], const flatbuffers::String* text) {
  put(field, text == nullptr ? std::string_view() : std::string_view(text->c_str(), text->size()));
}

double eta_seconds(const wire::JobEntry& entry) {
  if (entry.ended()) return 0;
  if (!(entry.bytes_per_second() > 0) || entry.bytes_total() == 0) return -1;
  const uint64_t done = std::min(entry.bytes_done(), entry.bytes_total());
  return static_cast<double>(entry.bytes_total() - done) / entry.bytes_per_second();
}

// Info: with owner, group and mode. A daemon that tells nothing knows no users.
template <class Info>
void put(Info& info, const wire::Permission* permission) {
  if (permission == nullptr) return;
  info.owner = permission->uid();
  info.group = permission->gid();
  info.mode = permission->mode();
}

void* copy_bytes(const void* bytes, size_t used, size_t allocated) {
  void* copy = std::malloc(allocated);
  if (copy != nullptr && used > 0) std::memcpy(copy, bytes, used);
  return copy;
}

}  // namespace

godwit_target_info to_c(const wire::TargetEntry& entry) {
  godwit_target_info info{};
  put(info.name, entry.name());
  put(info.kind, entry.kind());
  put(info.granularity, entry.granularity());
  info.capacity_bytes = entry.capacity_bytes();
  info.used_bytes = entry.used_bytes();
  info.largest_free_bytes = entry.largest_free_bytes();
  info.regions = entry.regions();
  return info;
}

godwit_region_info to_c(const wire::RegionEntry& entry) {
  godwit_region_info info{};
  info.id = to_c(protocol::from_wire(entry.id()));
  info.epoch = entry.epoch();
  info.size_bytes = entry.size_bytes();
  put(info.name, entry.name());
  put(info.target, entry.target());
  put(info.address, entry.address());
  put(info, entry.permission());
  return info;
}

godwit_database_info to_c(const wire::DatabaseEntry& entry) {
  godwit_database_info info{};
  info.id = to_c(protocol::from_wire(entry.id()));
  info.epoch = entry.epoch();
  info.bytes = entry.bytes();
  put(info.name, entry.name());
  put(info.backend, entry.backend());
  put(info.path, entry.path());
  put(info.options, entry.options());
  put(info.address, entry.address());
  put(info, entry.permission());
  return info;
}

godwit_progress progress_of(const wire::JobEntry& entry) {
  godwit_progress progress{};
  progress.bytes_done = entry.bytes_done();
  progress.bytes_total = entry.bytes_total();
  progress.objects_done = entry.objects_done();
  progress.objects_total = entry.objects_total();
  progress.bytes_per_second = entry.bytes_per_second();
  progress.eta_seconds = eta_seconds(entry);
  put(progress.phase, model::to_string(static_cast<model::Phase>(entry.phase())));
  return progress;
}

godwit_job_info to_c(const wire::JobEntry& entry) {
  godwit_job_info info{};
  put(info.id, to_string(protocol::from_wire(entry.job())));
  put(info.source, entry.source());
  put(info.destination, entry.destination());
  put(info.destination_target, entry.destination_target());
  info.copy = entry.copy() ? 1 : 0;
  info.error = entry.error();
  info.ended = entry.ended() ? 1 : 0;
  info.progress = progress_of(entry);
  info.bandwidth = entry.bandwidth_bytes_per_second();
  info.priority = entry.priority();
  const model::TimeWindow window{entry.window_begin(), entry.window_end()};
  if (!window.is_always()) put(info.time_window, model::to_string(window));
  put(info.error_text, entry.error_text());
  return info;
}

godwit_member to_c(const wire::MemberEntry& entry) {
  godwit_member member{};
  put(member.address, entry.address());
  member.node = to_c(protocol::from_wire(entry.node()));
  member.error = entry.error();
  put(member.error_text, entry.error_text());
  return member;
}

void note(godwit_member& member, const Error& error) {
  member.error = static_cast<int>(error.code);
  put(member.error_text, error.text);
}

godwit_place to_c(const wire::PlaceEntry& entry) {
  godwit_place place{};
  put(place.kind, wire::EnumNamePlaceKind(entry.kind()));
  place.id = to_c(protocol::from_wire(entry.id()));
  place.epoch = entry.epoch();
  put(place.name, entry.name());
  put(place.target, entry.target());
  put(place.address, entry.address());
  put(place.path, entry.path());
  return place;
}

godwit_migrate_result to_c(const wire::ObjectResult& result) {
  return {to_c(protocol::from_wire(result.source_id())), to_c(protocol::from_wire(result.destination_id())),
          result.size_bytes(), result.error()};
}

Result<char*> copy_for_c(const std::string& text) {
  void* copy = copy_bytes(text.c_str(), text.size() + 1, text.size() + 1);
  if (copy == nullptr) return Error{Errc::kMemory, "no memory for the answer"};
  return static_cast<char*>(copy);
}

template <class T>
Result<T*> copy_for_c(const std::vector<T>& values) {
  void* copy = copy_bytes(values.data(), values.size() * sizeof(T), std::max<size_t>(values.size(), 1) * sizeof(T));
  if (copy == nullptr) return Error{Errc::kMemory, "no memory for the answer"};
  return static_cast<T*>(copy);
}

template Result<godwit_target_info*> copy_for_c(const std::vector<godwit_target_info>& values);
template Result<godwit_region_info*> copy_for_c(const std::vector<godwit_region_info>& values);
template Result<godwit_database_info*> copy_for_c(const std::vector<godwit_database_info>& values);
template Result<godwit_collection_name*> copy_for_c(const std::vector<godwit_collection_name>& values);
template Result<godwit_migrate_result*> copy_for_c(const std::vector<godwit_migrate_result>& values);
template Result<godwit_member*> copy_for_c(const std::vector<godwit_member>& values);
template Result<godwit_job_info*> copy_for_c(const std::vector<godwit_job_info>& values);

}  // namespace godwit::client
