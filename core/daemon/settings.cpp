#include "daemon/settings.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unordered_set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "base/units.hpp"
#include "base/utf8.hpp"
#include "daemon/group_settings.hpp"
#include "daemon/settings_table.hpp"
#include "fabric/address.hpp"
#include "fabric/endpoint_name.hpp"

namespace godwit::daemon {
namespace {

using nlohmann::json;

Error at(const std::string& origin, const std::string& path, const std::string& what) {
  return Error{Errc::kConfig, fmt::format("{}: {}: {}", origin, path, what)};
}

// "<root>[targets][0][config][capacity]" as "targets[0].config.capacity".
std::string path_text(const std::string& context) {
  std::string out;
  for (size_t at = context.find('['); at != std::string::npos; at = context.find('[', at + 1)) {
    const std::string part = context.substr(at + 1, context.find(']', at) - at - 1);
    if (!part.empty() && part.find_first_not_of("0123456789") == std::string::npos)
      out += "[" + part + "]";
    else
      out += (out.empty() ? "" : ".") + part;
  }
  return out.empty() ? "the configuration" : out;
}

// The deepest complaint says it best: the others only say that something below them is wrong.
Result<> check_schema(const json& document, const std::string& origin) {
  const json schema_text = settings_schema();
  const valijson::adapters::NlohmannJsonAdapter schema_adapter(schema_text);
  valijson::Schema schema;
  valijson::SchemaParser().populateSchema(schema_adapter, schema);
  const valijson::adapters::NlohmannJsonAdapter adapter(document);
  valijson::ValidationResults results;
  valijson::Validator validator;
  if (validator.validate(schema, adapter, &results)) return Done{};
  std::string path, what;
  size_t depth = 0;
  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    std::string context;
    for (const std::string& part : error.context) context += part;
    if (error.context.size() < depth) continue;
    depth = error.context.size();
    path = path_text(context);
    what = error.description;
  }
  return at(origin, path, what);
}

Result<uint64_t> size_of(const json& value) {
  if (value.is_string()) return parse_size(value.get<std::string>());
  return value.get<uint64_t>();
}

Result<> read_targets(const json& list, const std::string& path, const std::string& origin, Settings& settings) {
  for (size_t i = 0; i < list.size(); ++i) {
    const json& item = list[i];
    const std::string here = fmt::format("{}[{}]", path, i);
    pmem::TargetSettings target;
    target.name = item.at("name");
    const std::string type = item.at("type");
    target.kind = type == "pmem" ? pmem::Kind::kPmem : type == "file" ? pmem::Kind::kFile : pmem::Kind::kDram;
    const json config = item.value("config", json::object());
    if (config.contains("capacity")) {
      auto capacity = size_of(config["capacity"]);
      if (!capacity) return at(origin, here + ".config.capacity", capacity.error().text);
      target.capacity_bytes = *capacity;
    }
    target.path = config.value("path", "");
    target.prefault = config.value("prefault", false);
    if (target.kind != pmem::Kind::kDram && target.path.empty())
      return at(origin, here + ".config", "a " + type + " target needs a path");
    if (target.capacity_bytes == 0 && !target.path.starts_with("/dev/dax"))
      return at(origin, here + ".config", "a capacity is needed, for example \"2GiB\"");
    for (const auto& other : settings.targets) {
      if (other.name == target.name) return at(origin, here + ".name", "'" + target.name + "' is taken by another target");
      if (!target.path.empty() && other.path == target.path)
        return at(origin, here + ".config.path", "another target has that path");
    }
    settings.targets.push_back(std::move(target));
  }
  return Done{};
}

Result<> read_file_roots(const json& list, const std::string& origin, Settings& settings) {
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string here = fmt::format("file_roots[{}].path", i);
    auto path = objects::normal_path(list[i].at("path"));
    if (!path) return at(origin, here, path.error().text);
    const std::string access = list[i].value("access", "read-write");
    settings.file_roots.push_back({std::move(*path), access != "write", access != "read"});
  }
  return Done{};
}

// A path that means the same wherever the daemon later looks from; links in what exists of it are followed.
std::string absolute(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path canonical = std::filesystem::weakly_canonical(std::filesystem::absolute(path, failed), failed);
  std::string text = failed ? std::filesystem::absolute(path).lexically_normal() : canonical;
  while (text.size() > 1 && text.back() == '/') text.pop_back();
  return text;
}

Result<> read_databases(const json& list, const std::string& origin, Settings& settings) {
  for (size_t i = 0; i < list.size(); ++i) {
    const json& item = list[i];
    const std::string here = fmt::format("databases[{}]", i);
    objects::DatabaseSettings database;
    database.name = item.at("name");
    if (auto valid = objects::check_name(database.name, "database"); !valid)
      return at(origin, here + ".name", valid.error().text);
    const auto kind = objects::parse_backend(item.at("backend").get<std::string>());
    if (!kind) return at(origin, here + ".backend", kind.error().text);
    database.kind = *kind;
    if (item.contains("options")) database.options = item["options"].dump();
    if (auto valid = objects::check_options(*kind, database.options); !valid)
      return at(origin, here + ".options", valid.error().text);
    if (objects::is_lasting(*kind) != item.contains("path"))
      return at(origin, here, objects::is_lasting(*kind) ? "a database that lasts needs a path" : "a map has no path");
    if (item.contains("path")) database.path = absolute(item["path"]);
    for (const auto& other : settings.databases) {
      if (other.name == database.name)
        return at(origin, here + ".name", "'" + database.name + "' is taken by another database");
      if (!database.path.empty() && other.path == database.path)
        return at(origin, here + ".path", "another database has that path");
    }
    settings.databases.push_back(std::move(database));
  }
  return Done{};
}

// The size in `value`, within the bounds of its row: the schema checks those of numbers, not of sizes that are written as text.
Result<uint64_t> size_within(const SettingRow& row, const json& value, const std::string& origin, const std::string& path) {
  const bool is_rate_text = row.type == SettingType::kRate && value.is_string();
  auto size = is_rate_text ? parse_rate(value.get<std::string>()) : size_of(value);
  if (!size) return at(origin, path, size.error().text);
  if (*size < row.least || *size > row.most)
    return at(origin, path,
              fmt::format("{} is not between {} and {}", format_size(*size), format_size(row.least), format_size(row.most)));
  return size;
}

Result<> read_transfer_manager(const json& manager, const std::string& path, const std::string& origin, Settings& settings) {
  const json config = manager.value("config", json::object());
  if (config.contains("num_threads")) settings.engine.streams = config["num_threads"];
  if (config.contains("pipeline_size")) {
    // Another name for pipeline_bytes.
    const auto row = std::ranges::find(settings_table(), "pipeline_bytes", &SettingRow::key);
    auto size = size_within(*row, config["pipeline_size"], origin, path + ".config.pipeline_size");
    if (!size) return std::move(size).error();
    row->store(settings, *size, {});
  }
  return Done{};
}

Result<> read_table(const json& document, const std::string& origin, Settings& settings) {
  for (const SettingRow& row : settings_table()) {
    const std::string key(row.key);
    if (!document.contains(key)) continue;
    const json& value = document[key];
    switch (row.type) {
      case SettingType::kSize:
      case SettingType::kRate: {
        auto size = size_within(row, value, origin, key);
        if (!size) return std::move(size).error();
        row.store(settings, *size, {});
        break;
      }
      case SettingType::kCount:
      case SettingType::kMilliseconds: row.store(settings, value.get<uint64_t>(), {}); break;
      case SettingType::kFlag: row.store(settings, value.get<bool>() ? 1 : 0, {}); break;
      case SettingType::kText: row.store(settings, 0, value.get<std::string>()); break;
    }
  }
  return Done{};
}

// "HOST:PORT" with an address in digits, as it is listened at; nothing else is looked up.
Result<> check_metrics(const std::string& text, const std::string& origin) {
  if (text == "auto" || text == "off") return Done{};
  const auto parts = fabric::split_host_port(text);
  in6_addr address{};
  const bool is_v4 = parts && inet_pton(AF_INET, parts->first.c_str(), &address) == 1 && text[0] != '[';
  const bool is_v6 = parts && inet_pton(AF_INET6, parts->first.c_str(), &address) == 1 && text[0] == '[';
  uint32_t port = 0;
  const std::string digits = parts ? parts->second : "";
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const bool is_port = failed == std::errc{} && end == digits.data() + digits.size() && port <= 65535;
  if ((is_v4 || is_v6) && is_port) return Done{};
  return at(origin, "metrics",
            fmt::format("'{}' is none of auto, off and HOST:PORT, such as 127.0.0.1:9100 or [::1]:9100", text));
}

Result<> read_identity(const json& said, const std::string& origin, Settings& settings) {
  IdentitySettings& identity = settings.identity;
  if (const std::string method = said.value("method", ""); !method.empty())
    identity.method = method == "munge" ? identity::Method::kMunge
                      : method == "key" ? identity::Method::kKey
                                        : identity::Method::kNone;
  identity.key_file = said.value("key_file", "");
  identity.munge_socket = said.value("munge_socket", "");
  identity.is_private = said.value("private", false);
  for (const json& user : said.value("administrators", json::array()))
    identity.administrators.push_back(user.is_string() ? user.get<std::string>() : std::to_string(user.get<uint64_t>()));
  const bool is_key = identity.method == identity::Method::kKey;
  if (is_key && identity.key_file.empty()) return at(origin, "identity", "method key needs a key_file");
  if (!is_key && !identity.key_file.empty()) return at(origin, "identity.key_file", "only method key uses it");
  if (identity.method != identity::Method::kMunge && !identity.munge_socket.empty())
    return at(origin, "identity.munge_socket", "only method munge uses it");
  if (identity.method != identity::Method::kMunge && identity.is_private)
    return at(origin, "identity.private", "only method munge knows users");
  return Done{};
}

// Whether only processes of this machine reach it.
bool is_local(const fabric::Address& address) {
  if (address.provider == "shm") return true;
  const auto parts = fabric::split_host_port(address.location);
  if (!parts) return false;
  in_addr v4{};
  in6_addr v6{};
  if (inet_pton(AF_INET, parts->first.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
  if (inet_pton(AF_INET6, parts->first.c_str(), &v6) == 1) return IN6_IS_ADDR_LOOPBACK(&v6) != 0;
  return parts->first == "localhost";
}

// Whether this address means every interface.
bool is_wildcard(const fabric::Address& address) {
  const auto parts = fabric::split_host_port(address.location);
  return parts && (parts->first.empty() || parts->first == "0.0.0.0" || parts->first == "::");
}

}  // namespace

Result<Settings> parse_settings(const std::string& json_text, const std::string& origin) {
  const json document = json::parse(json_text, nullptr, false, true);
  if (document.is_discarded()) return Error{Errc::kConfig, fmt::format("{}: not JSON", origin)};
  if (auto valid = check_schema(document, origin); !valid) return std::move(valid).error();

  Settings settings;
  settings.state_dir = document.at("state_dir");
  if (document.contains("listen")) settings.listen = document["listen"].get<std::vector<std::string>>();
  std::unordered_set<std::string> providers;
  for (size_t i = 0; i < settings.listen.size(); ++i) {
    auto address = fabric::parse_address(settings.listen[i]);
    if (!address) return at(origin, fmt::format("listen[{}]", i), address.error().text);
    if (is_wildcard(*address))
      return at(origin, fmt::format("listen[{}]", i),
                "other nodes are given this address to answer to: name the interface that they reach, not every one");
    if (!providers.insert(address->provider).second) return at(origin, fmt::format("listen[{}]", i), "one address a provider");
  }
  if (auto read = read_table(document, origin, settings); !read) return std::move(read).error();
  if (auto valid = check_metrics(settings.metrics, origin); !valid) return std::move(valid).error();
  if (document.contains("targets"))
    if (auto read = read_targets(document["targets"], "targets", origin, settings); !read) return std::move(read).error();
  const json hooks = document.value("hooks", json::object());
  settings.engine.hook_before = hooks.value("before", "");
  settings.engine.hook_after = hooks.value("after", "");
  if (document.contains("file_roots"))
    if (auto read = read_file_roots(document["file_roots"], origin, settings); !read) return std::move(read).error();
  if (document.contains("databases"))
    if (auto read = read_databases(document["databases"], origin, settings); !read) return std::move(read).error();
  if (document.contains("group"))
    if (auto read = read_group(document["group"], origin, settings); !read) return std::move(read).error();
  if (auto read = read_identity(document.value("identity", json::object()), origin, settings); !read)
    return std::move(read).error();
  if (document.contains("database_root")) settings.database_root = absolute(document["database_root"]);
  if (document.contains("transfer_manager"))
    if (auto read = read_transfer_manager(document["transfer_manager"], "transfer_manager", origin, settings); !read)
      return std::move(read).error();
  if (document.contains("providers"))
    for (size_t i = 0; i < document["providers"].size(); ++i) {
      const json config = document["providers"][i].value("config", json::object());
      const std::string path = fmt::format("providers[{}].config", i);
      if (config.contains("targets"))
        if (auto read = read_targets(config["targets"], path + ".targets", origin, settings); !read)
          return std::move(read).error();
      if (config.contains("transfer_manager"))
        if (auto read = read_transfer_manager(config["transfer_manager"], path + ".transfer_manager", origin, settings); !read)
          return std::move(read).error();
    }
  if (settings.engine.pipeline_bytes < settings.engine.block_bytes)
    settings.engine.block_bytes = settings.engine.pipeline_bytes;
  return settings;
}

Result<identity::SiteSettings> site_settings(const Settings& settings, const Id& node) {
  const IdentitySettings& said = settings.identity;
  if (!said.method)
    for (const std::string& listen : settings.listen)
      if (const auto address = fabric::parse_address(listen); !address || !is_local(*address))
        return Error{Errc::kConfig,
                     fmt::format("listen {}: others reach it, and identity.method does not say how they prove who they are: "
                                 "'munge', 'key', or 'none' if all of them may act as this daemon's user",
                                 listen)};
  identity::SiteSettings site;
  site.is_daemon = true;
  site.method = said.method.value_or(identity::Method::kNone);
  site.munge_socket = said.munge_socket;
  site.is_private = said.is_private;
  site.node = node;
  if (site.method == identity::Method::kKey) {
    auto key = identity::SiteKey::load(said.key_file);
    if (!key) return with_context("identity.key_file", std::move(key).error());
    site.key.emplace(std::move(*key));
  }
  for (const std::string& user : said.administrators) {
    const auto uid = identity::uid_of(user);
    if (!uid) return with_context("identity.administrators", uid.error());
    site.trusted_uids.insert(*uid);
  }
  return site;
}

Result<Settings> load_settings(const std::string& path) {
  std::ifstream file(path);
  if (!file) return error_from_errno(Errc::kIo, "configuration file " + path, errno);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) return Error{Errc::kIo, "configuration file " + path + ": cannot be read"};
  return parse_settings(text.str(), path);
}

}  // namespace godwit::daemon
