// Directory: what this node tells etcd of itself and of its objects, and what it hears there of the other nodes.
//
// Below /godwit/NAME/ etcd keeps members/NODE, under a lease that ends with the node, and objects/ID: the node that owns the
// object, and under which epoch. docs/design/groups.md tells what is decided where.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "daemon/etcd.hpp"
#include "engine/ownership.hpp"
#include "fabric/address.hpp"

namespace godwit::daemon {

// Who owns an object, as etcd has it. `claimed_for`: where a job of the owner's hands it over to; empty: nowhere.
struct OwnerRecord {
  Id node;
  std::string address;
  uint64_t epoch = 0;
  std::string claimed_for = {};
  std::string job = {};
};
std::string to_text(const OwnerRecord& record);
// Nothing if it is none.
std::optional<OwnerRecord> owner_record_from(const std::string& text);

// Thread-safe.
class Directory final : public engine::Ownership {
 public:
  // What this node serves now.
  using Owned = std::vector<engine::Claim>;

  Directory(EtcdSettings etcd, const std::string& name, const Id& node);
  ~Directory() override { stop(); }

  // Says where this node is, as long as it lives, and what it owns, again and again. `own_address`: for the others.
  void start(const std::string& own_address, std::function<Owned()> owned);
  // Takes the node out of the directory, if etcd answers.
  void stop();

  // The other nodes that live, as heard last; nobody before the first answer.
  std::vector<fabric::Address> others() const;
  // Why etcd did not answer when it was asked last, as it is every second; nothing: it did.
  std::optional<Error> silence() const;
  bool answers() const override { return !silence(); }
  // Blocks for some seconds at most, and not while etcd is known not to answer. Errors: kUnreachable; kProtocol, the record
  // makes no sense.
  Result<std::optional<OwnerRecord>> owner_of(const Id& object);
  // Blocks for about a millisecond an object, or some seconds where etcd does not answer.
  Result<> claim(std::span<const engine::Claim> objects, const Id& job, const std::string& destination) override;

 private:
  void run();
  Result<> tell();
  Result<> keep_lease();
  Result<> hear_members();
  Result<> publish();
  Result<> publish_one(const engine::Claim& object);
  Result<> forget_one(const engine::Claim& object);
  Result<bool> claim_some(std::span<const engine::Claim> objects, const Id& job, const std::string& destination);
  std::string key_of(const Id& object) const { return root_ + "objects/" + to_string(object); }

  Etcd etcd_;
  const std::string root_;
  const Id node_;
  std::string own_address_;       // Constant once started.
  std::function<Owned()> owned_;  // Likewise.

  // Of its thread.
  int64_t lease_ = 0;
  Clock::time_point kept_alive_{};
  std::unordered_map<Id, uint64_t> published_;  // Epochs.

  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable stop_;
  std::atomic<bool> stopping_{false};  // Changed under it.
  std::vector<fabric::Address> others_;
  std::optional<Error> silence_ = Error{Errc::kUnreachable, "etcd has not answered yet"};
  std::thread thread_;
};

}  // namespace godwit::daemon
