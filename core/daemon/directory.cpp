#include "daemon/directory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace godwit::daemon {
namespace {

using nlohmann::json;

constexpr auto kInterval = std::chrono::seconds(1);
constexpr uint32_t kLeaseSeconds = 10;
constexpr auto kKeepAlive = std::chrono::seconds(3);
constexpr uint32_t kMembersMax = 1'024;
constexpr size_t kPublishedAtOnce = 1'000;  // So that the lease is kept alive in time.
constexpr milliseconds kPublishing{2'000};
constexpr int kTriesMax = 5;

std::string text_in(const json& object, const char* key) {
  return object.contains(key) && object[key].is_string() ? object[key].get<std::string>() : std::string();
}

}  // namespace

std::string to_text(const OwnerRecord& record) {
  json object{{"node", to_string(record.node)}, {"address", record.address}, {"epoch", record.epoch}};
  if (!record.claimed_for.empty()) object["to"] = record.claimed_for;
  if (!record.job.empty()) object["job"] = record.job;
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<OwnerRecord> owner_record_from(const std::string& text) {
  const json object = json::parse(text, nullptr, false);
  if (!object.is_object() || !object.contains("epoch") || !object["epoch"].is_number_unsigned()) return std::nullopt;
  const auto node = parse_id(text_in(object, "node"));
  const std::string address = text_in(object, "address");
  if (!node || node->is_zero() || !fabric::parse_address(address)) return std::nullopt;
  return OwnerRecord{*node, address, object["epoch"].get<uint64_t>(), text_in(object, "to"), text_in(object, "job")};
}

Directory::Directory(EtcdSettings etcd, const std::string& name, const Id& node)
    : etcd_(std::move(etcd)), root_("/godwit/" + name + "/"), node_(node) {}

void Directory::start(const std::string& own_address, std::function<Owned()> owned) {
  own_address_ = own_address;
  owned_ = std::move(owned);
  thread_ = std::thread([this] { run(); });
}

void Directory::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  if (!thread_.joinable()) return;
  thread_.join();
  // Else the lease ends by itself.
  if (lease_ != 0 && !silence_)
    if (auto gone = etcd_.revoke(lease_); !gone) log::debug("{}", gone.error().text);
}

void Directory::run() {
  bool has_warned = false;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto told = tell();
    if (!told && !has_warned)
      log::warn("the directory does not answer; moves wait before their cutover: {}", told.error().text);
    if (told && has_warned) log::info("the directory answers");
    has_warned = !told;
    lock.lock();
    silence_ = told ? std::nullopt : std::optional(told.error());
    stop_.wait_for(lock, kInterval, [this] { return stopping_.load(); });
  }
}

Result<> Directory::tell() {
  if (auto kept = keep_lease(); !kept) return kept;
  if (auto heard = hear_members(); !heard) return heard;
  return publish();
}

Result<> Directory::keep_lease() {
  if (lease_ != 0) {
    if (Clock::now() - kept_alive_ < kKeepAlive) return Done{};
    auto alive = etcd_.keep_alive(lease_);
    if (!alive) return std::move(alive).error();
    kept_alive_ = Clock::now();
    if (*alive) return Done{};
    lease_ = 0;
    published_.clear();  // Etcd, or we, were away for long: who knows what it has lost.
  }
  auto granted = etcd_.grant(kLeaseSeconds);
  if (!granted) return std::move(granted).error();
  const json self{{"address", own_address_}};
  if (auto put = etcd_.put(root_ + "members/" + to_string(node_), self.dump(), *granted); !put) return put;
  lease_ = *granted;
  kept_alive_ = Clock::now();
  return Done{};
}

Result<> Directory::hear_members() {
  const std::string prefix = root_ + "members/";
  auto entries = etcd_.list(prefix, kMembersMax);
  if (!entries) return std::move(entries).error();
  std::vector<fabric::Address> others;
  for (const EtcdEntry& entry : *entries) {
    if (!entry.key.starts_with(prefix)) continue;
    const auto node = parse_id(entry.key.substr(prefix.size()));
    const json value = json::parse(entry.value, nullptr, false);
    if (!node || *node == node_ || !value.is_object()) continue;
    auto address = fabric::parse_address(text_in(value, "address"));
    if (address && std::ranges::find(others, *address) == others.end()) others.push_back(std::move(*address));
  }
  const std::lock_guard lock(mutex_);
  others_ = std::move(others);
  return Done{};
}

std::optional<Error> Directory::silence() const {
  const std::lock_guard lock(mutex_);
  return silence_;
}

std::vector<fabric::Address> Directory::others() const {
  const std::lock_guard lock(mutex_);
  return others_;
}

// What is new here, or has a new epoch, or has gone. No longer than the lease can spare: the rest comes with the next time.
Result<> Directory::publish() {
  const auto until = Deadline::after(kPublishing);
  const Owned owned = owned_();
  std::unordered_map<Id, uint64_t> now;
  size_t told = 0;
  for (const engine::Claim& object : owned) {
    now.emplace(object.object, object.epoch);
    const auto known = published_.find(object.object);
    if ((known != published_.end() && known->second == object.epoch) || told == kPublishedAtOnce) continue;
    if (stopping_ || until.passed()) return Done{};
    if (auto published = publish_one(object); !published) return published;
    published_.insert_or_assign(object.object, object.epoch);
    ++told;
  }
  for (auto one = published_.begin(); one != published_.end() && told < kPublishedAtOnce && !stopping_ && !until.passed();) {
    if (now.contains(one->first)) {
      ++one;
      continue;
    }
    if (auto forgotten = forget_one({one->first, one->second}); !forgotten) return forgotten;
    one = published_.erase(one);
    ++told;
  }
  return Done{};
}

Result<> Directory::publish_one(const engine::Claim& object) {
  for (int i = 0; i < kTriesMax; ++i) {
    auto entry = etcd_.get(key_of(object.object));
    if (!entry) return std::move(entry).error();
    if (*entry) {
      const auto record = owner_record_from((*entry)->value);
      if (record && record->node == node_ && record->epoch == object.epoch && record->address == own_address_) return Done{};
      if (record && (record->epoch > object.epoch || (record->epoch == object.epoch && record->node != node_))) {
        log::warn(
            "object {}: this node has it with epoch {}, but the directory knows node {} at {} as its owner, with epoch {}",
            to_string(object.object), object.epoch, to_string(record->node), log::printable(record->address), record->epoch);
        return Done{};
      }
    }
    auto changed =
        etcd_.change({{key_of(object.object), to_text({node_, own_address_, object.epoch}), *entry ? (*entry)->revision : 0}});
    if (!changed) return std::move(changed).error();
    if (*changed) return Done{};
  }
  return Done{};  // Somebody else has it now.
}

// Erased, or moved away: then its new owner says so.
Result<> Directory::forget_one(const engine::Claim& object) {
  auto entry = etcd_.get(key_of(object.object));
  if (!entry) return std::move(entry).error();
  if (!*entry) return Done{};
  const auto record = owner_record_from((*entry)->value);
  if (!record || record->node != node_ || record->epoch != object.epoch || !record->claimed_for.empty()) return Done{};
  auto changed = etcd_.change({{key_of(object.object), std::nullopt, (*entry)->revision}});
  if (!changed) return std::move(changed).error();
  return Done{};
}

Result<std::optional<OwnerRecord>> Directory::owner_of(const Id& object) {
  if (auto silent = silence()) return std::move(*silent);
  auto entry = etcd_.get(key_of(object));
  if (!entry) return std::move(entry).error();
  if (!*entry) return std::optional<OwnerRecord>();
  auto record = owner_record_from((*entry)->value);
  if (!record) return Error{Errc::kProtocol, fmt::format("the directory's record of {} makes no sense", to_string(object))};
  return record;
}

// False: somebody has changed one of the records meanwhile.
Result<bool> Directory::claim_some(std::span<const engine::Claim> objects, const Id& job, const std::string& destination) {
  std::vector<EtcdChange> changes;
  for (const engine::Claim& object : objects) {
    auto entry = etcd_.get(key_of(object.object));
    if (!entry) return std::move(entry).error();
    if (*entry) {
      const auto record = owner_record_from((*entry)->value);
      if (record && (record->epoch > object.epoch || (record->epoch == object.epoch && record->node != node_)))
        return Error{Errc::kMoved,
                     fmt::format("the directory knows a newer owner of object {}: node {} at {}, with epoch {}; here it has "
                                 "epoch {}",
                                 to_string(object.object), to_string(record->node), log::printable(record->address),
                                 record->epoch, object.epoch)};
    }
    changes.push_back({key_of(object.object), to_text({node_, own_address_, object.epoch, destination, to_string(job)}),
                       *entry ? (*entry)->revision : 0});
  }
  return etcd_.change(changes);
}

Result<> Directory::claim(std::span<const engine::Claim> objects, const Id& job, const std::string& destination) {
  for (size_t first = 0; first < objects.size(); first += Etcd::kChangesMax) {
    const auto some = objects.subspan(first, std::min(Etcd::kChangesMax, objects.size() - first));
    Result<bool> claimed = false;
    for (int i = 0; i < kTriesMax && claimed && !*claimed; ++i) claimed = claim_some(some, job, destination);
    if (!claimed) {
      if (claimed.error().code == Errc::kMoved) return std::move(claimed).error();
      return Error{Errc::kUnreachable, fmt::format("waits for the directory: {}", claimed.error().text)};
    }
    if (!*claimed) return Error{Errc::kUnreachable, "waits for the directory: others change the records of its objects"};
  }
  return Done{};
}

}  // namespace godwit::daemon
