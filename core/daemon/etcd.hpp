// Etcd: a client of etcd's JSON gateway (v3), as much of it as a directory of nodes needs.
#pragma once

#include <cstdint>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "daemon/settings.hpp"

namespace godwit::daemon {

struct EtcdEntry {
  std::string key;
  std::string value;
  int64_t revision = 0;  // Of its last change.
};

// A key that is written, or removed, if its last change is still the one of this revision (0: there is no such key).
struct EtcdChange {
  std::string key;
  std::optional<std::string> value;  // Nothing: the key is removed.
  int64_t revision = 0;
};

// Thread-safe; one request at a time. Every method blocks, for a few seconds at most. Errors of each: kUnreachable, no endpoint
// answers; kProtocol, the answer makes no sense; kInvalid, etcd refuses the request; kDenied, it knows neither our name nor our
// password.
class Etcd {
 public:
  static constexpr size_t kChangesMax = 32;  // Of one transaction; etcd takes 128 operations unless it is told otherwise.

  explicit Etcd(EtcdSettings settings) : settings_(std::move(settings)) {}

  // The entry, if there is one.
  Result<std::optional<EtcdEntry>> get(const std::string& key);
  // All whose key begins with `prefix`, at most `limit`.
  Result<std::vector<EtcdEntry>> list(const std::string& prefix, uint32_t limit);
  Result<> put(const std::string& key, const std::string& value, int64_t lease);
  // All of at most kChangesMax, or none (false): one of the keys has been changed meanwhile.
  Result<bool> change(const std::vector<EtcdChange>& changes);
  // A lease that ends so many seconds after it was kept alive last.
  Result<int64_t> grant(uint32_t seconds);
  // Whether it still lives.
  Result<bool> keep_alive(int64_t lease);
  Result<> revoke(int64_t lease);

 private:
  Result<nlohmann::json> post(const std::string& path, const nlohmann::json& request);
  Result<nlohmann::json> post_locked(const std::string& path, const nlohmann::json& request);
  Result<> log_in_locked();

  std::mutex mutex_;       // Guards all below.
  EtcdSettings settings_;  // The endpoint that answered last comes first.
  std::string token_;      // What our name and password are worth there, until etcd forgets it.
};

// As the gateway wants bytes. RFC 4648, with '='.
std::string to_base64(std::string_view bytes);
// Nothing if the text is none.
std::optional<std::string> from_base64(std::string_view text);

}  // namespace godwit::daemon
