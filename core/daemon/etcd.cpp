#include "daemon/etcd.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include "base/log.hpp"

namespace godwit::daemon {
namespace {

using nlohmann::json;

constexpr long kConnectMs = 1'000;
constexpr long kRequestMs = 2'500;
constexpr size_t kEtcdAnswerBytesMax = 16u << 20;
constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

struct CloseCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
};
struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

size_t append(char* bytes, size_t, size_t count, void* to) {
  auto& text = *static_cast<std::string*>(to);
  if (text.size() + count > kEtcdAnswerBytesMax) return 0;
  text.append(bytes, count);
  return count;
}

// The gateway writes 64-bit numbers as text, and leaves zeros out.
int64_t number_in(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key)) return 0;
  const json& value = object[key];
  if (value.is_number_integer()) return value.get<int64_t>();
  if (!value.is_string()) return 0;
  const std::string text = value.get<std::string>();
  int64_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failed == std::errc{} && end == text.data() + text.size() ? number : 0;
}

std::string bytes_in(const json& object, const char* key) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string()) return {};
  return from_base64(object[key].get<std::string>()).value_or("");
}

std::vector<EtcdEntry> entries_in(const json& answer) {
  std::vector<EtcdEntry> entries;
  if (!answer.contains("kvs") || !answer["kvs"].is_array()) return entries;
  for (const json& one : answer["kvs"])
    entries.push_back({bytes_in(one, "key"), bytes_in(one, "value"), number_in(one, "mod_revision")});
  return entries;
}

// The first key behind all that begin with it.
std::string end_of(std::string prefix) {
  if (!prefix.empty()) ++prefix.back();  // Ours end in '/'.
  return prefix;
}

Error nonsense(const std::string& endpoint) {
  return Error{Errc::kProtocol, fmt::format("etcd at {} gives an answer that makes no sense", endpoint)};
}

constexpr long kUnauthorized = 401;  // HTTP's; etcd's code Unauthenticated.

// Since TLS 1.3 who asks for a certificate and does not like it hangs up after the greeting, and no more is seen of it.
std::string hint_of(const EtcdSettings& settings, const std::string& endpoint, CURLcode failure) {
  if (!endpoint.starts_with("https:") || failure == CURLE_COULDNT_CONNECT || failure == CURLE_OPERATION_TIMEDOUT) return {};
  if (settings.cert_file.empty()) return " (it may ask for a certificate, and group.cert_file names none)";
  return fmt::format(" (it may not take the certificate {})", settings.cert_file);
}

// One request to one endpoint. `answered`: whether there is somebody.
Result<json> ask(const EtcdSettings& settings, const std::string& endpoint, const std::string& path, const std::string& body,
                 const std::string& token, bool& answered) {
  answered = false;
  const std::unique_ptr<CURL, CloseCurl> curl(curl_easy_init());
  if (!curl) return Error{Errc::kMemory, "no memory for a request to etcd"};
  std::unique_ptr<curl_slist, FreeList> headers(curl_slist_append(nullptr, "Content-Type: application/json"));
  if (!token.empty()) {
    curl_slist* longer = curl_slist_append(headers.get(), ("Authorization: " + token).c_str());
    if (longer == nullptr) return Error{Errc::kMemory, "no memory for a request to etcd"};
    static_cast<void>(headers.release());  // It is the beginning of the longer one.
    headers.reset(longer);
  }
  std::string text;
  const std::string url = endpoint + path;
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
  if (!settings.ca_file.empty()) curl_easy_setopt(curl.get(), CURLOPT_CAINFO, settings.ca_file.c_str());
  if (!settings.cert_file.empty()) {
    curl_easy_setopt(curl.get(), CURLOPT_SSLCERT, settings.cert_file.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_SSLKEY, settings.key_file.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_KEYPASSWD, "");  // A daemon has nobody to ask for one.
  }
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, kConnectMs);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kRequestMs);
  curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &text);
  std::array<char, CURL_ERROR_SIZE> why{};  // Says more, if it says anything.
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, why.data());
  const CURLcode done = curl_easy_perform(curl.get());
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, nullptr);  // The handle outlives it.
  if (done != CURLE_OK)
    return Error{Errc::kUnreachable,
                 fmt::format("etcd at {}: {}{}", endpoint, why[0] != 0 ? log::printable(why.data()) : curl_easy_strerror(done),
                             hint_of(settings, endpoint, done))};
  long status = 0;
  curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
  // A member that has no leader, or is stopping, is as good as none: another one may do better.
  if (status >= 500)
    return Error{Errc::kUnreachable,
                 fmt::format("etcd at {} says {}: {}", endpoint, status, log::printable(text.substr(0, 200)))};
  answered = true;
  json answer = json::parse(text, nullptr, false);
  if (answer.is_discarded() || !answer.is_object()) return nonsense(endpoint);
  if (status != 200)
    return Error{status == kUnauthorized ? Errc::kDenied : Errc::kInvalid,
                 fmt::format("etcd at {} says {}: {}", endpoint, status, log::printable(text.substr(0, 200)))};
  return answer;
}

}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string text;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) group = group << 8 | (i + k < bytes.size() ? static_cast<uint8_t>(bytes[i + k]) : 0);
    for (size_t k = 0; k < 4; ++k) text += i + k <= bytes.size() ? kDigits[group >> (18 - 6 * k) & 63] : '=';
  }
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 4) {
    uint32_t group = 0;
    size_t digits = 0;
    for (size_t k = 0; k < 4; ++k) {
      const size_t value = kDigits.find(text[i + k]);
      const bool is_padding = text[i + k] == '=' && i + 4 == text.size() && k >= 2;
      if (value == std::string_view::npos ? !is_padding : digits != k) return std::nullopt;
      if (value != std::string_view::npos) ++digits;
      group = group << 6 | static_cast<uint32_t>(value == std::string_view::npos ? 0 : value);
    }
    for (size_t k = 0; k + 1 < digits; ++k) bytes += static_cast<char>(group >> (16 - 8 * k) & 255);
  }
  return bytes;
}

Result<json> Etcd::post(const std::string& path, const json& request) {
  const std::lock_guard lock(mutex_);
  if (settings_.user.empty()) return post_locked(path, request);
  const bool was_known = !token_.empty();
  if (!was_known)
    if (auto known = log_in_locked(); !known) return std::move(known).error();
  auto answer = post_locked(path, request);
  if (answer || answer.error().code != Errc::kDenied || !was_known) return answer;
  // A token ends after some minutes, and with the etcd that gave it.
  if (auto known = log_in_locked(); !known) return std::move(known).error();
  return post_locked(path, request);
}

Result<> Etcd::log_in_locked() {
  token_.clear();
  auto answer = post_locked("/v3/auth/authenticate", {{"name", settings_.user}, {"password", settings_.password}});
  if (!answer) {
    const bool is_refused = answer.error().code == Errc::kInvalid;
    return with_context(fmt::format("to log in as '{}'", settings_.user),
                        Error{is_refused ? Errc::kDenied : answer.error().code, answer.error().text});
  }
  const bool has_token = answer->contains("token") && (*answer)["token"].is_string();
  if (has_token) token_ = (*answer)["token"].get<std::string>();
  // It goes into a header.
  const bool is_fit = !token_.empty() && std::ranges::all_of(token_, [](char c) { return c > ' ' && c < '\x7f'; });
  if (is_fit) return Done{};
  token_.clear();
  return Error{Errc::kProtocol, "etcd gives no token for a name and a password"};
}

Result<json> Etcd::post_locked(const std::string& path, const json& request) {
  Result<json> answer = Error{Errc::kUnreachable, "no endpoint of etcd is configured"};
  const std::string body = request.dump();
  std::vector<std::string>& endpoints = settings_.endpoints;
  for (size_t i = 0; i < endpoints.size(); ++i) {
    bool answered = false;
    answer = ask(settings_, endpoints[i], path, body, token_, answered);
    if (!answered) continue;
    std::rotate(endpoints.begin(), endpoints.begin() + static_cast<ptrdiff_t>(i),
                endpoints.begin() + static_cast<ptrdiff_t>(i) + 1);
    return answer;
  }
  return answer;
}

Result<std::optional<EtcdEntry>> Etcd::get(const std::string& key) {
  auto answer = post("/v3/kv/range", {{"key", to_base64(key)}});
  if (!answer) return std::move(answer).error();
  auto entries = entries_in(*answer);
  if (entries.empty()) return std::optional<EtcdEntry>();
  return std::optional<EtcdEntry>(std::move(entries.front()));
}

Result<std::vector<EtcdEntry>> Etcd::list(const std::string& prefix, uint32_t limit) {
  auto answer = post("/v3/kv/range", {{"key", to_base64(prefix)}, {"range_end", to_base64(end_of(prefix))}, {"limit", limit}});
  if (!answer) return std::move(answer).error();
  return entries_in(*answer);
}

Result<> Etcd::put(const std::string& key, const std::string& value, int64_t lease) {
  auto answer = post("/v3/kv/put", {{"key", to_base64(key)}, {"value", to_base64(value)}, {"lease", std::to_string(lease)}});
  if (!answer) return std::move(answer).error();
  return Done{};
}

Result<bool> Etcd::change(const std::vector<EtcdChange>& changes) {
  json compares = json::array(), operations = json::array();
  for (const EtcdChange& change : changes) {
    const std::string key = to_base64(change.key);
    compares.push_back(
        {{"key", key}, {"target", "MOD"}, {"result", "EQUAL"}, {"mod_revision", std::to_string(change.revision)}});
    if (change.value)
      operations.push_back({{"request_put", {{"key", key}, {"value", to_base64(*change.value)}}}});
    else
      operations.push_back({{"request_delete_range", {{"key", key}}}});
  }
  auto answer = post("/v3/kv/txn", {{"compare", compares}, {"success", operations}});
  if (!answer) return std::move(answer).error();
  return answer->contains("succeeded") && (*answer)["succeeded"] == true;
}

Result<int64_t> Etcd::grant(uint32_t seconds) {
  auto answer = post("/v3/lease/grant", {{"TTL", std::to_string(seconds)}});
  if (!answer) return std::move(answer).error();
  const int64_t lease = number_in(*answer, "ID");
  if (lease == 0) return Error{Errc::kProtocol, "etcd grants a lease without a number"};
  return lease;
}

Result<bool> Etcd::keep_alive(int64_t lease) {
  auto answer = post("/v3/lease/keepalive", {{"ID", std::to_string(lease)}});
  if (!answer) return std::move(answer).error();
  return number_in(answer->value("result", json::object()), "TTL") > 0;
}

Result<> Etcd::revoke(int64_t lease) {
  auto answer = post("/v3/lease/revoke", {{"ID", std::to_string(lease)}});
  if (!answer) return std::move(answer).error();
  return Done{};
}

}  // namespace godwit::daemon
