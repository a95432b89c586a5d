#include "daemon/group_settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "base/secret_file.hpp"
#include "base/utf8.hpp"
#include "fabric/address.hpp"
#include "identity/certificate.hpp"

namespace godwit::daemon {
namespace {

using nlohmann::json;

Error wrong_at(const std::string& origin, const std::string& path, const std::string& what) {
  return Error{Errc::kConfig, fmt::format("{}: {}: {}", origin, path, what)};
}

// Whether whoever listens on the network reads what is sent there.
bool is_readable_on_the_way(const std::string& endpoint) {
  const std::string_view location = std::string_view(endpoint).substr(endpoint.find("//") + 2);
  const auto is_host = [&](std::string_view host) { return location == host || location.starts_with(std::string(host) + ":"); };
  return !endpoint.starts_with("https:") && !is_host("127.0.0.1") && !is_host("[::1]") && !is_host("localhost");
}

// What etcd is shown of us is looked at now: a key that does not fit would only show in its log.
Result<> read_certificate(const json& group, const std::string& origin, EtcdSettings& etcd) {
  etcd.cert_file = group.value("cert_file", "");
  etcd.key_file = group.value("key_file", "");
  if (etcd.cert_file.empty() != etcd.key_file.empty())
    return wrong_at(origin, "group", "a cert_file needs a key_file, and a key_file a cert_file");
  if (etcd.cert_file.empty()) return Done{};
  const auto is_open = [](const std::string& endpoint) { return !endpoint.starts_with("https:"); };
  if (const auto open = std::ranges::find_if(etcd.endpoints, is_open); open != etcd.endpoints.end())
    return wrong_at(origin, "group.endpoints", fmt::format("{}: a certificate is shown at https:// only", *open));
  auto certificate = identity::Certificate::load(etcd.cert_file);
  if (!certificate) return with_context(origin + ": group.cert_file", std::move(certificate).error());
  if (auto fits = certificate->check_key(etcd.key_file); !fits)
    return with_context(origin + ": group.key_file", std::move(fits).error());
  return Done{};
}

Result<> read_etcd(const json& group, const std::string& origin, EtcdSettings& etcd) {
  etcd.endpoints = group["endpoints"].get<std::vector<std::string>>();
  etcd.ca_file = group.value("ca_file", "");
  if (auto read = read_certificate(group, origin, etcd); !read) return read;
  etcd.user = group.value("user", "");
  if (etcd.user.empty() != !group.contains("password_file"))
    return wrong_at(origin, "group", "a user needs a password_file, and a password_file a user");
  if (etcd.user.empty()) return Done{};
  if (const auto open = std::ranges::find_if(etcd.endpoints, is_readable_on_the_way); open != etcd.endpoints.end())
    return wrong_at(origin, "group.endpoints", fmt::format("{}: a password goes to https:// only, or to this machine", *open));
  constexpr size_t kPasswordBytesMax = 1024;
  const std::string path = group["password_file"];
  auto bytes = read_secret_file(path, "password file", kPasswordBytesMax);
  if (!bytes) return with_context(origin + ": group.password_file", std::move(bytes).error());
  for (const std::byte byte : *bytes) etcd.password += static_cast<char>(byte);
  explicit_bzero(bytes->data(), bytes->size());
  while (etcd.password.ends_with('\n') || etcd.password.ends_with('\r')) etcd.password.pop_back();
  if (etcd.password.empty() || bytes->size() > kPasswordBytesMax || !is_utf8(etcd.password))
    return wrong_at(origin, "group.password_file",
                    fmt::format("{} holds no password: UTF-8, 1 to {} bytes", path, kPasswordBytesMax));
  return Done{};
}

}  // namespace

Result<> read_group(const json& group, const std::string& origin, Settings& settings) {
  const bool has_directory = group.contains("directory");
  if (has_directory == group.contains("members"))
    return wrong_at(origin, "group", "either members or a directory with endpoints and a name are needed");
  for (const char* key : {"endpoints", "name"})
    if (group.contains(key) != has_directory)
      return wrong_at(origin, "group",
                      has_directory ? fmt::format("a directory needs {}", key) : fmt::format("{} is for a directory", key));
  for (const char* key : {"user", "password_file", "ca_file", "cert_file", "key_file"})
    if (group.contains(key) && !has_directory) return wrong_at(origin, "group", fmt::format("{} is for a directory", key));
  if (has_directory) {
    settings.group_name = group["name"];
    return read_etcd(group, origin, settings.etcd);
  }
  const json& members = group["members"];
  for (size_t i = 0; i < members.size(); ++i) {
    const std::string here = fmt::format("group.members[{}]", i);
    const auto address = fabric::parse_address(members[i].get<std::string>());
    if (!address) return wrong_at(origin, here, address.error().text);
    const std::string text = to_string(*address);
    if (std::ranges::find(settings.group_members, text) != settings.group_members.end())
      return wrong_at(origin, here, "'" + text + "' is a member already");
    settings.group_members.push_back(text);
  }
  return Done{};
}

}  // namespace godwit::daemon
