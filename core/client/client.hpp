// Client: what the threads of one godwit_client share: settings, one Domain a provider, and the lanes that rest.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "fabric/domain.hpp"

namespace godwit::client {

class Lane;
class Client;

struct Settings {
  milliseconds connect_timeout{5'000};
  milliseconds operation_timeout{60'000};
  uint64_t inline_bytes = 16'384;
  bool follow = true;
};

// A lane that belongs to one call of one thread; goes back to rest when destroyed, unless by an exception, which may have left
// it with half a message. The client must outlive it.
class Lease {
 public:
  Lease(Client& client, std::unique_ptr<Lane> lane);
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  Lane* operator->() const { return lane_.get(); }
  Lane& operator*() const { return *lane_; }

 private:
  Client* client_;
  std::unique_ptr<Lane> lane_;
  int exceptions_;  // Under way when it was made.
};

// Thread-safe.
class Client {
 public:
  explicit Client(Settings settings);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const Settings& settings() const { return settings_; }
  // When a call that starts now has to end, if nothing moves many bytes.
  Deadline operation_deadline() const { return Deadline::after(settings_.operation_timeout); }
  // The lane that rested last, so that its connections are warm; a new one if all are in use.
  Lease borrow();
  // The one domain of this provider, opened by its first use (milliseconds).
  // The first of all reads what the environment says about identity (identity/site_guard.hpp).
  // Errors: kUnsupported, kFabric; those of identity::guard_of_client().
  Result<std::shared_ptr<fabric::Domain>> domain(const std::string& provider);

 private:
  friend class Lease;
  void give_back(std::unique_ptr<Lane> lane) noexcept;

  const Settings settings_;

  std::mutex domains_mutex_;
  std::map<std::string, std::shared_ptr<fabric::Domain>> domains_;  // Guarded by domains_mutex_.
  std::shared_ptr<const fabric::Guard> guard_;                      // Likewise; null until the first domain.

  std::mutex lanes_mutex_;
  size_t lanes_made_ = 0;                       // Guarded by lanes_mutex_.
  std::vector<std::unique_ptr<Lane>> resting_;  // Guarded by lanes_mutex_; has room for every lane.
};

}  // namespace godwit::client
