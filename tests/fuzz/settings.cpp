// godwitd's configuration: JSON text into Settings.
//
// Must hold: whatever is accepted is within the bounds of the settings table, which docs/reference/settings.md prints; what is
// refused is kConfig. No exception of the JSON or schema library comes through.
// Most mutations exchange a value of the document: changed bytes seldom leave JSON that the schema lets through.
#include "daemon/settings.hpp"

#include <random>
#include <set>

#include "base/units.hpp"
#include "daemon/settings_table.hpp"
#include "fabric/address.hpp"
#include "fuzz.hpp"

namespace godwit::fuzz {
namespace {

void check_engine(const engine::EngineSettings& engine) {
  must(engine.block_bytes >= 4_KiB && engine.block_bytes <= 64_MiB, "block_bytes is within its bounds");
  must(engine.pipeline_bytes >= 4_KiB && engine.pipeline_bytes <= 1_GiB, "pipeline_bytes is within its bounds");
  must(engine.block_bytes <= engine.pipeline_bytes, "a block fits into the pipeline");
  must(engine.streams >= 1 && engine.streams <= 64, "streams is within its bounds");
  must(engine.jobs_max >= 1 && engine.jobs_max <= 256, "jobs_max is within its bounds");
  must(engine.inbound_max >= 1 && engine.inbound_max <= 1024, "inbound_max is within its bounds");
  must(engine.connect_timeout.count() >= 10 && engine.connect_timeout.count() <= 600'000,
       "connect_timeout is within its bounds");
  must(engine.stall_timeout.count() >= 100 && engine.stall_timeout.count() <= 3'600'000, "stall_timeout is within its bounds");
  must(engine.quiesce_timeout.count() >= 10 && engine.quiesce_timeout.count() <= 600'000,
       "quiesce_timeout is within its bounds");
}

void check_targets(const std::vector<pmem::TargetSettings>& targets) {
  std::set<std::string> names, paths;
  for (const pmem::TargetSettings& target : targets) {
    must(!target.name.empty() && target.name.size() <= 64, "a target's name is within its limits");
    must(names.insert(target.name).second, "no two targets have one name", target.name);
    if (!target.path.empty()) must(paths.insert(target.path).second, "no two targets have one path", target.path);
    must(target.kind == pmem::Kind::kDram || !target.path.empty(), "a lasting target has a path");
    must(target.capacity_bytes <= uint64_t{1} << 63, "a capacity is at most 2^63 bytes");
  }
}

void check(const daemon::Settings& settings) {
  must(!settings.state_dir.empty(), "there is a state_dir");
  must(!settings.listen.empty(), "it listens somewhere");
  for (const std::string& address : settings.listen)
    must(bool(fabric::parse_address(address)), "it listens at addresses", address);
  for (const daemon::SettingRow& row : daemon::settings_table()) {
    const auto value = row.value(settings);
    if (value.is_number_unsigned() && row.type != daemon::SettingType::kSize && row.type != daemon::SettingType::kRate)
      must(value.get<uint64_t>() >= row.least && value.get<uint64_t>() <= row.most, "a setting is within its bounds",
           std::string(row.key));
    if (value.is_string() && !row.choices.empty())
      must(("|" + std::string(row.choices) + "|").find("|" + value.get<std::string>() + "|") != std::string::npos,
           "a text is one of the choices", std::string(row.key));
  }
  check_engine(settings.engine);
  check_targets(settings.targets);
}

// ---------------------------------------------------------------- mutations

using nlohmann::json;
using Random = std::mt19937;

// Whole, and with all that there is: what a document that is no JSON any more is exchanged for.
const json& whole_document() {
  static const json document =
      json::parse(R"({"state_dir": "/s", "listen": ["tcp://a:1"], "block_bytes": "512KiB", "streams": 2,
      "targets": [{"name": "a", "type": "pmem", "config": {"capacity": "2GiB", "path": "/a", "prefault": true}}],
      "transfer_manager": {"config": {"num_threads": 4, "pipeline_size": "4MiB"}}, "log_level": "info"})");
  return document;
}

json any_value(Random& random) {
  static const json values{0,     1,     -1,   64,      65,     4096,        1 << 30, UINT64_MAX,    INT64_MIN,
                           1.5,   1e300, true, nullptr, "",     "4B",        "4 KiB", "1TiB",        "-0",
                           "1e3", "/a",  "a",  "fast",  "dram", "tcp://a:1", "file",  json::array(), json::object()};
  return values[random() % values.size()];
}

// Mostly of the same type, as others are refused at once.
json value_instead_of(const json& old, Random& random) {
  json value = any_value(random);
  for (unsigned left = random() % 64; left > 0 && value.type() != old.type(); --left) value = any_value(random);
  return value;
}

void change_value(json& document, Random& random) {
  const json leaves = document.flatten();  // Their paths are its keys.
  if (leaves.empty()) return;
  const auto leaf = std::next(leaves.begin(), static_cast<ptrdiff_t>(random() % leaves.size()));
  const auto other = std::next(leaves.begin(), static_cast<ptrdiff_t>(random() % leaves.size()));
  document[json::json_pointer(leaf.key())] = random() % 4 == 0 ? *other : value_instead_of(*leaf, random);
}

void add_key(json& document, Random& random) {
  static const json properties = daemon::settings_schema()["properties"];
  const auto key = std::next(properties.begin(), static_cast<ptrdiff_t>(random() % properties.size())).key();
  if (document.is_object()) document[key] = any_value(random);
}

std::string mutated(const std::string& text, unsigned seed) {
  Random random(seed);
  json document = json::parse(text, nullptr, false);
  if (!document.is_object()) document = whole_document();
  random() % 4 == 0 ? add_key(document, random) : change_value(document, random);
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max, unsigned seed) {
  const std::string text = seed % 4 == 0 ? std::string() : godwit::fuzz::mutated(godwit::fuzz::text_of(data, size), seed);
  if (text.empty() || text.size() > size_max) return LLVMFuzzerMutate(data, size, size_max);
  std::copy(text.begin(), text.end(), data);
  return text.size();
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit;
  const auto settings = daemon::parse_settings(fuzz::text_of(data, size), "input");
  if (settings)
    fuzz::check(*settings);
  else
    fuzz::must(settings.error().code == Errc::kConfig, "a bad configuration is kConfig", settings.error().text);
  return 0;
}
