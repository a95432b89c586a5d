#include "engine/job_request.hpp"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/log.hpp"
#include "engine/whole_number.hpp"

namespace godwit::engine {
namespace {

using nlohmann::json;

// JSON is UTF-8, and paths are bytes: each byte becomes the character of its number (as in Latin-1).
std::string as_text(const std::string& bytes) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | (byte >> 6));
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return text;
}

std::string as_bytes(const json& value) {
  const auto& text = value.get_ref<const std::string&>();
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto first = static_cast<unsigned char>(text[i]);
    if (first < 0x80) {
      bytes += text[i];
      continue;
    }
    const unsigned high = first & 0x03u, low = static_cast<unsigned char>(text.at(++i)) & 0x3Fu;
    bytes += static_cast<char>(high << 6 | low);
  }
  return bytes;
}

Id as_id(const json& value) {
  const auto id = parse_id(value.get<std::string>());
  if (!id) throw std::invalid_argument("an id that is none");
  return *id;
}

json transfer_json(const model::Transfer& transfer) {
  return {{"block_bytes", transfer.block_bytes},
          {"streams", transfer.streams},
          {"bandwidth", transfer.bandwidth_bytes_per_second},
          {"compression", static_cast<unsigned>(transfer.compression)},
          {"priority", static_cast<unsigned>(transfer.priority)},
          {"window", {transfer.window.begin, transfer.window.end}},
          {"verify", transfer.verify},
          {"approval", transfer.approval},
          {"max_downtime_ms", transfer.max_downtime_ms}};
}

model::Transfer transfer_from(const json& value) {
  model::Transfer transfer;
  transfer.block_bytes = whole<uint64_t>(value.at("block_bytes"));
  transfer.streams = whole<uint32_t>(value.at("streams"));
  transfer.bandwidth_bytes_per_second = whole<uint64_t>(value.at("bandwidth"));
  transfer.compression = static_cast<model::Compression>(whole<uint8_t>(value.at("compression")));
  transfer.priority = static_cast<model::Priority>(whole<uint8_t>(value.at("priority")));
  transfer.window.begin = whole<uint16_t>(value.at("window").at(0));
  transfer.window.end = whole<uint16_t>(value.at("window").at(1));
  transfer.verify = value.at("verify");
  transfer.approval = value.at("approval");
  if (value.contains("max_downtime_ms")) transfer.max_downtime_ms = whole<uint64_t>(value["max_downtime_ms"]);
  return transfer;
}

json json_of(const MigrateRequest& request) {
  json ids = json::array();
  for (const Id& id : request.regions) ids.push_back(to_string(id));
  return {{"kind", "regions"},
          {"regions", ids},
          {"destination", as_text(request.destination_address)},
          {"target", as_text(request.destination_target)},
          {"copy", request.copy},
          {"name", as_text(request.name)},
          {"transfer", transfer_json(request.transfer)}};
}

json json_of(const MigrateFilesRequest& request) {
  json paths = json::array();
  for (const std::string& path : request.paths) paths.push_back(as_text(path));
  json rules = json::array();
  for (const objects::FileRule& rule : request.options.walk.rules) rules.push_back({rule.take, as_text(rule.pattern)});
  return {{"kind", "files"},
          {"paths", paths},
          {"destination", as_text(request.destination_address)},
          {"directory", as_text(request.directory)},
          {"move", request.options.move},
          {"force", request.options.force},
          {"xattrs", request.options.walk.xattrs},
          {"skip_special", request.options.walk.skip_special},
          {"rules", rules},
          {"update", request.update},
          {"hold", request.hold},
          {"transfer", transfer_json(request.transfer)}};
}

json json_of(const MigrateDatabaseRequest& request) {
  return {{"kind", "database"},
          {"database", to_string(request.database)},
          {"destination", as_text(request.destination_address)},
          {"new_root", as_text(request.new_root)},
          {"extra_config", as_text(request.extra_config)},
          {"transfer", transfer_json(request.transfer)}};
}

JobRequest request_from(const json& value) {
  const std::string kind = value.at("kind");
  if (kind == "regions") {
    MigrateRequest request;
    for (const json& id : value.at("regions")) request.regions.push_back(as_id(id));
    request.destination_address = as_bytes(value.at("destination"));
    request.destination_target = as_bytes(value.at("target"));
    request.copy = value.at("copy");
    request.name = as_bytes(value.at("name"));
    request.transfer = transfer_from(value.at("transfer"));
    return request;
  }
  if (kind == "files") {
    MigrateFilesRequest request;
    for (const json& path : value.at("paths")) request.paths.push_back(as_bytes(path));
    request.destination_address = as_bytes(value.at("destination"));
    request.directory = as_bytes(value.at("directory"));
    request.options.move = value.at("move");
    request.options.force = value.at("force");
    request.options.walk.xattrs = value.at("xattrs");
    request.options.walk.skip_special = value.at("skip_special");
    for (const json& rule : value.at("rules"))
      request.options.walk.rules.push_back({rule.at(0).get<bool>(), as_bytes(rule.at(1))});
    request.update = value.at("update");
    request.hold = value.at("hold");
    request.transfer = transfer_from(value.at("transfer"));
    return request;
  }
  if (kind != "database") throw std::invalid_argument("a kind of objects that there is not");
  MigrateDatabaseRequest request;
  request.database = as_id(value.at("database"));
  request.destination_address = as_bytes(value.at("destination"));
  request.new_root = as_bytes(value.at("new_root"));
  request.extra_config = as_bytes(value.at("extra_config"));
  request.transfer = transfer_from(value.at("transfer"));
  return request;
}

std::vector<RefusedObject> refused_from(const json& list, size_t objects) {
  std::vector<RefusedObject> refused;
  for (const json& one : list) {
    const RefusedObject next{whole<uint32_t>(one.at(0)), error_from_number(whole<int32_t>(one.at(1)))};
    if (next.index >= objects || whole<int32_t>(one.at(1)) >= 0 || (!refused.empty() && next.index <= refused.back().index))
      throw std::invalid_argument("a refusal of an object that it does not name, or for no reason");
    refused.push_back(next);
  }
  return refused;
}

}  // namespace

size_t object_count(const JobRequest& request) {
  if (const auto* regions = std::get_if<MigrateRequest>(&request)) return regions->regions.size();
  if (const auto* files = std::get_if<MigrateFilesRequest>(&request)) return files->paths.size();
  return 1;
}

std::string to_json(const KeptRequest& kept) {
  json value = std::visit([](const auto& request) { return json_of(request); }, kept.request);
  value["source"] = as_text(kept.source_address);
  value["paused"] = kept.paused;
  value["approved"] = kept.approved;
  value["cancelled"] = kept.cancelled;
  for (const RefusedObject& refused : kept.refused)
    value["refused"].push_back({refused.index, static_cast<int32_t>(refused.error)});
  return value.dump();
}

Result<KeptRequest> parse_request(const std::string& text) {
  try {
    const json value = json::parse(text);
    KeptRequest kept{request_from(value), as_bytes(value.at("source")), value.at("paused").get<bool>(),
                     value.at("approved").get<bool>(), value.at("cancelled").get<bool>()};
    if (value.contains("refused")) kept.refused = refused_from(value["refused"], object_count(kept.request));
    const model::Transfer& transfer =
        std::visit([](const auto& asked) -> const model::Transfer& { return asked.transfer; }, kept.request);
    if (transfer.block_bytes == 0 || transfer.streams == 0)
      throw std::invalid_argument("a job that has been queued has a size of its blocks, and streams");
    if (auto valid = model::check(transfer); !valid) throw std::invalid_argument(valid.error().text);
    return kept;
  } catch (const std::exception& error) {  // The library's, and ours.
    return Error{Errc::kCorrupt, "the journal's request of a job: " + log::printable(error.what())};
  }
}

}  // namespace godwit::engine
