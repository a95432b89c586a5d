#include "daemon/settings_table.hpp"

#include <fmt/format.h>

#include <array>

#include "base/units.hpp"
#include "daemon/group.hpp"

namespace godwit::daemon {
namespace {

using nlohmann::json;
using enum SettingType;

const std::array kTable{
    SettingRow{"block_bytes", kSize, 4_KiB, 64_MiB, "", "bytes moved by one RMA operation, and covered by one digest",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.block_bytes = n; },
               [](const Settings& s) { return json(format_size(s.engine.block_bytes)); }},
    SettingRow{"pipeline_bytes", kSize, 4_KiB, 1_GiB, "", "bytes in flight on one stream; also its ring of staging buffers",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.pipeline_bytes = n; },
               [](const Settings& s) { return json(format_size(s.engine.pipeline_bytes)); }},
    SettingRow{"streams", kCount, 1, 64, "", "connections (each with a thread) that carry one migration",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.streams = static_cast<uint32_t>(n); },
               [](const Settings& s) { return json(s.engine.streams); }},
    SettingRow{"bandwidth", kRate, 0, uint64_t{1} << 50, "",
               "sent a second by the node as source of all its migrations together; 0: no limit",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.bandwidth = n; },
               [](const Settings& s) { return json(s.engine.bandwidth); }},
    SettingRow{"jobs_max", kCount, 1, 256, "", "migrations that run at once with this node as source; more wait",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.jobs_max = static_cast<uint32_t>(n); },
               [](const Settings& s) { return json(s.engine.jobs_max); }},
    SettingRow{"inbound_max", kCount, 1, 1024, "", "migrations received at once; more are refused",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.inbound_max = static_cast<uint32_t>(n); },
               [](const Settings& s) { return json(s.engine.inbound_max); }},
    SettingRow{"connect_timeout_ms", kMilliseconds, 10, 600'000, "",
               "for a connection to another node, and for a peer that connects to say what it wants",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.connect_timeout = milliseconds(n); },
               [](const Settings& s) { return json(s.engine.connect_timeout.count()); }},
    SettingRow{"stall_timeout_ms", kMilliseconds, 100, 3'600'000, "", "a transfer fails when nothing arrived for so long",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.stall_timeout = milliseconds(n); },
               [](const Settings& s) { return json(s.engine.stall_timeout.count()); }},
    SettingRow{"quiesce_timeout_ms", kMilliseconds, 10, 600'000, "", "for accesses under way to end before a migration reads",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.quiesce_timeout = milliseconds(n); },
               [](const Settings& s) { return json(s.engine.quiesce_timeout.count()); }},
    SettingRow{"hook_timeout_ms", kMilliseconds, 10, 3'600'000, "",
               "for a program of `hooks` to end; then it is killed, and has refused",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.hook_timeout = milliseconds(n); },
               [](const Settings& s) { return json(s.engine.hook_timeout.count()); }},
    SettingRow{"resolve_interval_ms", kMilliseconds, 10, 600'000, "", "between attempts to end a job in doubt",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.resolve_interval = milliseconds(n); },
               [](const Settings& s) { return json(s.engine.resolve_interval.count()); }},
    SettingRow{"resume_timeout_ms", kMilliseconds, 0, 86'400'000, "",
               "for the other node to come back to a job that has begun to move bytes and lost it, at its source and at its "
               "destination; 0: such a job fails at once: [jobs that resume](../howto/resume-jobs.md)",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.resume_timeout = milliseconds(n); },
               [](const Settings& s) { return json(s.engine.resume_timeout.count()); }},
    SettingRow{
        "checkpoint_interval_ms", kMilliseconds, 10, 86'400'000, "",
        "between the notes, in a destination's journal, of what has arrived: a job that goes on after a crash sends at most "
        "what has arrived since the last one again",
        [](Settings& s, uint64_t n, const std::string&) { s.engine.checkpoint_interval = milliseconds(n); },
        [](const Settings& s) { return json(s.engine.checkpoint_interval.count()); }},
    SettingRow{"sessions_max", kCount, 1, 65536, "", "clients connected at once",
               [](Settings& s, uint64_t n, const std::string&) { s.sessions_max = n; },
               [](const Settings& s) { return json(s.sessions_max); }},
    SettingRow{"client_streams_max", kCount, 1, 4096, "", "clients that read or write large ranges at once",
               [](Settings& s, uint64_t n, const std::string&) { s.client_streams_max = n; },
               [](const Settings& s) { return json(s.client_streams_max); }},
    SettingRow{"workers", kCount, 1, 64, "", "threads for requests that wait for a disk",
               [](Settings& s, uint64_t n, const std::string&) { s.workers = n; },
               [](const Settings& s) { return json(s.workers); }},
    SettingRow{"database_buffer_bytes", kSize, 256_MiB, 1024_GiB, "",
               "memory for databases' batches and answers that travel by RMA; who finds none asks again",
               [](Settings& s, uint64_t n, const std::string&) { s.engine.database_buffer_bytes = n; },
               [](const Settings& s) { return json(format_size(s.engine.database_buffer_bytes)); }},
    SettingRow{"log_level", kText, 0, 0, "trace|debug|info|warning|error|off", "what goes to standard error",
               [](Settings& s, uint64_t, const std::string& t) { s.log_level = t; },
               [](const Settings& s) { return json(s.log_level); }},
    SettingRow{"metrics", kText, 0, 0, "",
               "where Prometheus may scrape this node, by HTTP: `off`; `HOST:PORT`, the address in digits; `auto`: at "
               "`127.0.0.1`, the "
               "port 2000 above the one that the node listens at, or nowhere if that port is 0, is taken, or there is none: "
               "[monitor](../howto/monitor.md)",
               [](Settings& s, uint64_t, const std::string& t) { s.metrics = t; },
               [](const Settings& s) { return json(s.metrics); }},
    SettingRow{"pinning", kText, 0, 0, "none|numa|core", "bind threads to the NUMA node of the network, or to a core each",
               [](Settings& s, uint64_t, const std::string& t) { s.pinning = t; },
               [](const Settings& s) { return json(s.pinning); }},
    SettingRow{"require_rdma", kFlag, 0, 1, "", "refuse to start on a provider that is not RDMA",
               [](Settings& s, uint64_t n, const std::string&) { s.require_rdma = n != 0; },
               [](const Settings& s) { return json(s.require_rdma); }},
};

json schema_of(const SettingRow& row) {
  switch (row.type) {
    case kSize:
    case kRate: return {{"type", {"integer", "string"}}, {"minimum", row.least}, {"maximum", row.most}};
    case kCount:
    case kMilliseconds: return {{"type", "integer"}, {"minimum", row.least}, {"maximum", row.most}};
    case kFlag: return {{"type", "boolean"}};
    case kText: {
      if (row.choices.empty()) return {{"type", "string"}};
      json names = json::array();
      for (size_t at = 0; at <= row.choices.size();) {
        const size_t bar = std::min(row.choices.find('|', at), row.choices.size());
        names.push_back(row.choices.substr(at, bar - at));
        at = bar + 1;
      }
      return {{"type", "string"}, {"enum", names}};
    }
  }
  return {};
}

json target_schema() {
  const json size{{"type", {"integer", "string"}}, {"minimum", 0}};
  return {
      {"type", "object"},
      {"required", {"name", "type"}},
      {"additionalProperties", false},
      {"properties",
       {{"name", {{"type", "string"}, {"pattern", "^[A-Za-z0-9._-]{1,64}$"}}},
        {"type", {{"type", "string"}, {"enum", {"dram", "memory", "pmem", "file"}}}},
        {"config",
         {{"type", "object"},
          {"additionalProperties", false},
          {"properties",
           {{"capacity", size}, {"path", {{"type", "string"}, {"minLength", 1}}}, {"prefault", {{"type", "boolean"}}}}}}}}}};
}

json file_root_schema() {
  return {{"type", "object"},
          {"required", {"path"}},
          {"additionalProperties", false},
          {"properties",
           {{"path", {{"type", "string"}, {"pattern", "^/"}}},
            {"access", {{"type", "string"}, {"enum", {"read", "write", "read-write"}}}}}}};
}

json database_schema() {
  return {{"type", "object"},
          {"required", {"name", "backend"}},
          {"additionalProperties", false},
          {"properties",
           {{"name", {{"type", "string"}, {"minLength", 1}, {"maxLength", 128}}},
            {"backend", {{"type", "string"}, {"enum", {"map", "rocksdb", "leveldb", "lmdb"}}}},
            {"path", {{"type", "string"}, {"minLength", 1}}},
            {"options", {{"type", "object"}}}}}};
}

json group_schema() {
  return {{"type", "object"},
          {"additionalProperties", false},
          {"properties",
           {{"directory", {{"type", "string"}, {"enum", {"etcd"}}}},
            {"endpoints",
             {{"type", "array"},
              {"minItems", 1},
              {"maxItems", 16},
              {"items", {{"type", "string"}, {"pattern", "^https?://[^/?#@]+$"}, {"maxLength", 256}}}}},
            {"name", {{"type", "string"}, {"pattern", "^[A-Za-z0-9._-]{1,64}$"}}},
            {"user", {{"type", "string"}, {"minLength", 1}, {"maxLength", 256}}},
            {"password_file", {{"type", "string"}, {"pattern", "^/"}}},
            {"ca_file", {{"type", "string"}, {"pattern", "^/"}}},
            {"cert_file", {{"type", "string"}, {"pattern", "^/"}}},
            {"key_file", {{"type", "string"}, {"pattern", "^/"}}},
            {"members",
             {{"type", "array"},
              {"maxItems", Group::kMembersMax},
              {"items", {{"type", "string"}, {"minLength", 1}, {"maxLength", 256}}}}}}}};
}

json identity_schema() {
  return {{"type", "object"},
          {"additionalProperties", false},
          {"properties",
           {{"method", {{"type", "string"}, {"enum", {"munge", "key", "none"}}}},
            {"key_file", {{"type", "string"}, {"pattern", "^/"}}},
            {"munge_socket", {{"type", "string"}, {"pattern", "^/"}}},
            {"private", {{"type", "boolean"}}},
            {"administrators",
             {{"type", "array"},
              {"maxItems", 1024},
              {"items", {{"type", {"string", "integer"}}, {"minLength", 1}, {"minimum", 0}, {"maximum", 4'294'967'294}}}}}}}};
}

json transfer_manager_schema() {
  return {{"type", "object"},
          {"additionalProperties", false},
          {"properties",
           {{"type", {{"type", "string"}, {"enum", {"pipeline", "default"}}}},
            {"config",
             {{"type", "object"},
              {"additionalProperties", false},
              {"properties",
               {{"num_threads", {{"type", "integer"}, {"minimum", 1}, {"maximum", 64}}},
                {"pipeline_size", {{"type", {"integer", "string"}}, {"minimum", 4096}, {"maximum", 1u << 30}}}}}}}}}};
}

}  // namespace

std::span<const SettingRow> settings_table() { return kTable; }

json settings_schema() {
  const json targets{{"type", "array"}, {"items", target_schema()}};
  json properties{
      {"state_dir", {{"type", "string"}, {"minLength", 1}}},
      {"listen", {{"type", "array"}, {"minItems", 1}, {"items", {{"type", "string"}, {"minLength", 1}}}}},
      {"targets", targets},
      {"file_roots", {{"type", "array"}, {"items", file_root_schema()}}},
      {"hooks",
       {{"type", "object"},
        {"additionalProperties", false},
        {"properties",
         {{"before", {{"type", "string"}, {"pattern", "^/"}}}, {"after", {{"type", "string"}, {"pattern", "^/"}}}}}}},
      {"databases", {{"type", "array"}, {"items", database_schema()}}},
      {"database_root", {{"type", "string"}, {"minLength", 1}}},
      {"group", group_schema()},
      {"identity", identity_schema()},
      {"transfer_manager", transfer_manager_schema()},
      {"providers",
       {{"type", "array"},
        {"items",
         {{"type", "object"},
          {"additionalProperties", false},
          {"properties",
           {{"name", {{"type", "string"}}},
            {"provider_id", {{"type", "integer"}, {"minimum", 0}}},
            {"config",
             {{"type", "object"},
              {"additionalProperties", false},
              {"properties", {{"targets", targets}, {"transfer_manager", transfer_manager_schema()}}}}}}}}}}}};
  for (const SettingRow& row : kTable) properties[std::string(row.key)] = schema_of(row);
  return {{"type", "object"}, {"additionalProperties", false}, {"required", {"state_dir"}}, {"properties", properties}};
}

std::string settings_as_markdown() {
  const Settings defaults;
  std::string out =
      "| key | type | default | bounds | meaning |\n|---|---|---|---|---|\n"
      "| `state_dir` | text | required | | directory of the journal; one daemon a directory |\n"
      "| `listen` | list of text | `[\"tcp://127.0.0.1:7411\"]` | | addresses to listen at; the first is the node's |\n"
      "| `targets` | list of objects | `[]` | | see below |\n"
      "| `file_roots` | list of objects | `[]` | | directories below which files may be migrated: `path` and `access` (`read`, "
      "`write`, `read-write`) of each: [migrate files](../howto/migrate-files.md) |\n"
      "| `hooks` | object | `{}` | | programs `before` and `after` that may refuse a migration: [hooks](../howto/hooks.md) |\n"
      "| `databases` | list of objects | `[]` | | `name`, `backend`, `path` (not of a `map`) and `options` of each: "
      "[databases](../howto/databases.md) |\n"
      "| `database_root` | text | none | | directory of databases that are made at run time or arrive from other nodes; "
      "without it "
      "they can only be of backend `map` |\n"
      "| `group` | object | none | | the daemons that know of each other's jobs and objects: `members`, a list of their "
      "addresses, at most 1024; or `directory` (`etcd`) with its `endpoints` and the group's `name`, and, where it asks for "
      "them, "
      "`user` with `password_file`, `ca_file`, and `cert_file` with `key_file`: "
      "[groups](../howto/group.md) |\n"
      "| `identity` | object | `{}` | | how clients and daemons prove who they are: `method` (`munge`, `key` or `none`), "
      "`key_file`, "
      "`munge_socket`, `administrators` (users' names or numbers), `private` (with `munge`: no other user is served). Without "
      "a `method` the daemon listens at loopback addresses "
      "and "
      "`shm` only: [identity](../howto/identity.md) |\n";
  for (const SettingRow& row : kTable) {
    const char* type = "";
    std::string bounds;
    switch (row.type) {
      case kSize:
        type = "size";
        bounds = fmt::format("{} to {}", format_size(row.least), format_size(row.most));
        break;
      case kRate:
        type = "rate";
        bounds = fmt::format("{}/s to {}/s", format_size(row.least), format_size(row.most));
        break;
      case kCount:
        type = "count";
        bounds = fmt::format("{} to {}", row.least, row.most);
        break;
      case kMilliseconds:
        type = "milliseconds";
        bounds = fmt::format("{} to {}", row.least, row.most);
        break;
      case kFlag: type = "true or false"; break;
      case kText:
        type = "text";
        bounds = std::string(row.choices);
        for (size_t at = 0; (at = bounds.find('|', at)) != std::string::npos; at += 2) bounds.replace(at, 1, ", ");
        break;
    }
    out += fmt::format("| `{}` | {} | `{}` | {} | {} |\n", row.key, type, row.value(defaults).dump(), bounds, row.meaning);
  }
  return out;
}

}  // namespace godwit::daemon
