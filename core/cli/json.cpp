#include "json.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "session.hpp"
#include "text.hpp"
#include "transfer_options.hpp"

namespace godwit::cli {

std::string to_text(godwit_region_id id) {
  char text[33];
  godwit_region_id_format(id, text);
  return text;
}

Json to_json(const godwit_target_info& info) {
  return {{"name", info.name},
          {"kind", info.kind},
          {"granularity", info.granularity},
          {"capacity_bytes", info.capacity_bytes},
          {"used_bytes", info.used_bytes},
          {"largest_free_bytes", info.largest_free_bytes},
          {"regions", info.regions}};
}

Json to_json(const godwit_region_info& info) {
  return {{"id", to_text(info.id)}, {"name", info.name},       {"size_bytes", info.size_bytes},
          {"target", info.target},  {"address", info.address}, {"epoch", info.epoch},
          {"owner", info.owner},    {"group", info.group},     {"mode", fmt::format("{:04o}", info.mode)}};
}

Json to_json(const godwit_database_info& info) {
  return {{"id", to_text(info.id)},
          {"name", info.name},
          {"backend", info.backend},
          {"path", info.path},
          {"options", info.options},
          {"bytes", info.bytes},
          {"address", info.address},
          {"epoch", info.epoch},
          {"owner", info.owner},
          {"group", info.group},
          {"mode", fmt::format("{:04o}", info.mode)}};
}

Json to_json(const godwit_job_info& info) {
  const godwit_progress& progress = info.progress;
  return {{"id", info.id},
          {"source", info.source},
          {"destination", info.destination},
          {"destination_target", info.destination_target},
          {"copy", info.copy != 0},
          {"ended", info.ended != 0},
          {"error", error_name(info.error)},
          {"error_text", info.error_text},
          {"phase", progress.phase},
          {"bytes_done", progress.bytes_done},
          {"bytes_total", progress.bytes_total},
          {"objects_done", progress.objects_done},
          {"objects_total", progress.objects_total},
          {"bytes_per_second", progress.bytes_per_second},
          {"priority", priority_name(info.priority)},
          {"bandwidth", info.bandwidth == 0 ? Json(nullptr) : Json(info.bandwidth)},
          {"time_window", info.time_window[0] == 0 ? Json(nullptr) : Json(info.time_window)},
          {"eta_seconds", progress.eta_seconds < 0 ? Json(nullptr) : Json(progress.eta_seconds)}};
}

Json to_json(const godwit_member& member) {
  return {{"address", member.address},
          {"node", member.error == GODWIT_OK ? Json(to_text(member.node)) : Json(nullptr)},
          {"error", error_name(member.error)},
          {"error_text", member.error_text}};
}

Json to_json(const godwit_place& place) {
  const std::string_view kind = place.kind;
  const bool has_epoch = kind != "job" && kind != "plan" && place.path[0] == 0;
  return {{"kind", place.kind},
          {"id", to_text(place.id)},
          {"name", place.name},
          {"address", place.address},
          {"target", place.target[0] == 0 ? Json(nullptr) : Json(place.target)},
          {"path", place.path[0] == 0 ? Json(nullptr) : Json(place.path)},
          {"epoch", has_epoch ? Json(place.epoch) : Json(nullptr)}};
}

Json to_json(const godwit_migrate_result& result) {
  return {{"source_id", to_text(result.source_id)},
          {"destination_id", result.error == GODWIT_OK ? Json(to_text(result.destination_id)) : Json(nullptr)},
          {"size_bytes", result.size_bytes},
          {"error", error_name(result.error)}};
}

Json error_name(int error) { return error == GODWIT_OK ? Json(nullptr) : Json(godwit_error_name(error)); }

void print_json(const Json& json) { print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n"); }

void print(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) return;
  throw Failure(GODWIT_ERR_IO, fmt::format("standard output: {}", std::strerror(errno)));
}

void print_failure(int code, const std::string& text, bool as_json) {
  const std::string message = printable(text.empty() ? godwit_error_meaning(code) : text);
  if (as_json) {
    const Json json = {{"error",
                        {{"code", code},
                         {"name", godwit_error_name(code)},
                         {"message", message},
                         {"remedy", godwit_error_remedy(code)},
                         {"exit_code", godwit_error_exit_code(code)}}}};
    fmt::print(stderr, "{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  fmt::print(stderr, "godwit: {} ({})\n  {}\n", message, godwit_error_name(code), godwit_error_remedy(code));
}

}  // namespace godwit::cli
