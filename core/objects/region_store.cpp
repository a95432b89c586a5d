#include "objects/region_store.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/utf8.hpp"

namespace godwit::objects {

Result<> check_name(const std::string& name, std::string_view kind) {
  constexpr size_t kNameBytesMax = 128;
  if (name.size() > kNameBytesMax)
    return Error{Errc::kInvalid, fmt::format("the {} name is {} bytes long; {} are allowed", kind, name.size(), kNameBytesMax)};
  if (parse_id(name))
    return Error{Errc::kInvalid, fmt::format("a {} name of 32 hexadecimal digits would be taken for an id", kind)};
  if (std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }))
    return Error{Errc::kInvalid, fmt::format("the {} name '{}' has control characters", kind, log::printable(name))};
  // As libgodwit checks it; a client that does not must not spoil everybody's listing.
  if (!is_utf8(name)) return Error{Errc::kInvalid, fmt::format("the {} name is not UTF-8", kind)};
  return Done{};
}

RegionStore::RegionStore(std::vector<std::unique_ptr<pmem::Target>> targets, journal::Journal& journal)
    : targets_(std::move(targets)), journal_(journal) {}

Result<> RegionStore::load() {
  auto records = journal_.regions();
  if (!records) return std::move(records).error();
  auto gone = journal_.moved();
  if (!gone) return std::move(gone).error();

  const std::lock_guard lock(mutex_);
  for (const journal::RegionRecord& record : *records) {
    auto found = target(record.target);
    if (!found)
      return Error{Errc::kConfig,
                   fmt::format("the catalogue has region {} on target '{}', which the configuration does not name; "
                               "configure the target again",
                               to_string(record.id), record.target)};
    pmem::Target& home = **found;
    if (home.pool_id() != record.pool)
      return Error{Errc::kCorrupt, fmt::format("target '{}': the pool at {} is not the one that holds region {}; put the right "
                                               "file back",
                                               home.name(), home.settings().path, to_string(record.id))};
    if (auto claimed = home.claim(record.extent); !claimed) return std::move(claimed).error();
    auto region = std::make_shared<Region>(record.id, record.epoch, record.name, home, record.extent, record.size_bytes,
                                           RegionState::kServing);
    if (!record.name.empty()) names_.emplace(record.name, record.id);
    regions_.emplace(record.id, std::move(region));
  }
  for (const journal::MovedRecord& record : *gone) {
    moved_[record.id] = Moved{record.address, record.target, record.id};
    if (!record.name.empty()) moved_names_[record.name] = record.id;
  }
  return Done{};
}

Result<pmem::Target*> RegionStore::target(const std::string& name) const {
  for (const auto& target : targets_)
    if (target->name() == name) return target.get();
  return Error{Errc::kNotFound, fmt::format("no target '{}' here", log::printable(name))};
}

uint64_t RegionStore::regions_on(const pmem::Target& target) const {
  const std::lock_guard lock(mutex_);
  return static_cast<uint64_t>(
      std::ranges::count_if(regions_, [&](const auto& entry) { return &entry.second->target == &target; }));
}

std::optional<journal::RegionRecord> RegionStore::record_of(const Region& region) {
  if (!region.target.survives_restart()) return std::nullopt;
  return journal::RegionRecord{region.id,     region.epoch,     region.name, region.target.name(), region.target.pool_id(),
                               region.extent, region.size_bytes};
}

Result<> RegionStore::take_name_locked(const std::string& name, const Id& id) {
  if (name.empty()) return Done{};
  if (auto valid = check_name(name); !valid) return valid;
  if (!names_.emplace(name, id).second) return Error{Errc::kExists, fmt::format("a region named '{}' exists already", name)};
  moved_names_.erase(name);  // The name now means this one.
  return Done{};
}

void RegionStore::free_name_locked(const Region& region) {
  const auto found = names_.find(region.name);
  if (found != names_.end() && found->second == region.id) names_.erase(found);
}

Result<RegionPtr> RegionStore::create(pmem::Target& target, std::string name, uint64_t size_bytes, const Fill& fill) {
  const Id id = random_id();
  {
    const std::lock_guard lock(mutex_);
    if (auto taken = take_name_locked(name, id); !taken) return std::move(taken).error();
  }
  auto space = target.reserve(size_bytes);
  auto region =
      std::make_shared<Region>(id, 1, std::move(name), target, space ? *space : Extent{}, size_bytes, RegionState::kServing);
  const auto undo = [&](Error error) -> Result<RegionPtr> {
    if (space) target.release(*space);
    const std::lock_guard lock(mutex_);
    free_name_locked(*region);
    return error;
  };
  if (!space) return undo(std::move(space).error());
  if (auto filled = fill(*region); !filled) return undo(std::move(filled).error());
  if (const auto record = record_of(*region)) {
    // Bytes before the record: a region that the catalogue knows is whole.
    if (auto durable = target.persist({space->offset_bytes, size_bytes}); !durable) return undo(std::move(durable).error());
    if (auto added = journal_.add_region(*record); !added) return undo(std::move(added).error());
  }
  const std::lock_guard lock(mutex_);
  regions_.emplace(id, region);
  return region;
}

Lookup RegionStore::find(const Id& id) const {
  const std::lock_guard lock(mutex_);
  if (const auto found = regions_.find(id); found != regions_.end()) return {found->second, {}};
  if (const auto found = incoming_.find(id); found != incoming_.end()) return {found->second, {}};
  if (const auto found = moved_.find(id); found != moved_.end()) return {nullptr, found->second};
  return {};
}

Lookup RegionStore::find(const std::string& name) const {
  Id id;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = names_.find(name); found != names_.end())
      id = found->second;
    else if (const auto gone = moved_names_.find(name); gone != moved_names_.end())
      id = gone->second;
    else
      return {};
  }
  return find(id);
}

std::vector<RegionPtr> RegionStore::list(const std::string& target, const Id& after, uint32_t limit) const {
  const std::lock_guard lock(mutex_);
  std::vector<RegionPtr> found;
  for (auto next = after.is_zero() ? regions_.begin() : regions_.upper_bound(after); next != regions_.end(); ++next) {
    if (found.size() == limit) break;
    if (target.empty() || next->second->target.name() == target) found.push_back(next->second);
  }
  return found;
}

Result<> RegionStore::erase(const RegionPtr& region, Deadline deadline) {
  if (auto retired = region->retire(Id{}, deadline); !retired) return retired;
  if (region->target.survives_restart()) {
    if (auto removed = journal_.remove_region(region->id); !removed) {
      region->resume();  // The catalogue still has it.
      return removed;
    }
  }
  {
    const std::lock_guard lock(mutex_);
    free_name_locked(*region);
    regions_.erase(region->id);
  }
  region->target.release(region->extent);
  return Done{};
}

void RegionStore::finish_move(const RegionPtr& region, const Id& job, const Moved& moved) {
  // It has been stopped: nobody is inside, so this cannot time out.
  if (auto retired = region->retire(job, Deadline::after(milliseconds(0))); !retired)
    log::error("after job {}: {}; its space stays taken until the restart", to_string(job), retired.error().text);
  else
    region->target.release(region->extent);
  const std::lock_guard lock(mutex_);
  const auto found = regions_.find(region->id);
  if (found == regions_.end() || found->second != region) return;  // It moved within this node, and is served again.
  free_name_locked(*region);
  regions_.erase(found);
  moved_[region->id] = Moved{moved.address, moved.target, region->id};
  if (!region->name.empty()) moved_names_[region->name] = region->id;
}

Result<RegionPtr> RegionStore::keep_handed_over(const journal::JobObject& object, const Id& job) {
  auto home = target(object.target);
  if (!home) return std::move(home).error();
  if (auto claimed = (*home)->claim(object.extent); !claimed) return std::move(claimed).error();
  auto region = std::make_shared<Region>(object.id, object.epoch, object.name, **home, object.extent, object.size_bytes,
                                         RegionState::kServing);
  if (auto pinned = region->pin(job); !pinned) return std::move(pinned).error();
  if (auto stopped = region->stop(Deadline::after(milliseconds(0))); !stopped) return std::move(stopped).error();
  return region;
}

void RegionStore::take_back(const RegionPtr& region) {
  {
    const std::lock_guard lock(mutex_);
    moved_.erase(region->id);
    regions_[region->id] = region;
    if (!region->name.empty()) names_[region->name] = region->id;
  }
  region->resume();
}

Result<RegionPtr> RegionStore::expect(pmem::Target& target, const Id& job, const Id& id, uint64_t epoch, std::string name,
                                      uint64_t size_bytes) {
  {
    const std::lock_guard lock(mutex_);
    const auto here = regions_.find(id);
    const bool moves_within_node = here != regions_.end() && here->second->is_pinned_by(job);
    if ((here != regions_.end() && !moves_within_node) || incoming_.contains(id))
      return Error{Errc::kExists, fmt::format("region {} is here already", to_string(id))};
    if (moves_within_node && here->second->epoch >= epoch)
      return Error{Errc::kExists, fmt::format("region {} is here with epoch {}", to_string(id), here->second->epoch)};
    if (!(moves_within_node && here->second->name == name))
      if (auto taken = take_name_locked(name, id); !taken) return std::move(taken).error();
    incoming_.emplace(id, nullptr);  // Nobody else may bring it meanwhile.
  }
  auto space = target.reserve(size_bytes);
  const std::lock_guard lock(mutex_);
  if (!space) {
    incoming_.erase(id);
    if (!regions_.contains(id)) names_.erase(name);
    return std::move(space).error();
  }
  auto region = std::make_shared<Region>(id, epoch, std::move(name), target, *space, size_bytes, RegionState::kIncoming);
  incoming_[id] = region;
  return region;
}

Result<RegionPtr> RegionStore::expect_again(pmem::Target& target, const journal::JobObject& object, uint64_t epoch) {
  if (auto claimed = target.claim(object.extent); !claimed) return std::move(claimed).error();
  auto region = std::make_shared<Region>(object.destination_id, epoch, object.name, target, object.extent, object.size_bytes,
                                         RegionState::kIncoming);
  const std::lock_guard lock(mutex_);
  if (!object.name.empty()) names_.emplace(object.name, region->id);
  incoming_[region->id] = region;
  return region;
}

void RegionStore::adopt(const RegionPtr& region) {
  {
    const std::lock_guard lock(mutex_);
    incoming_.erase(region->id);
    regions_[region->id] = region;
    moved_.erase(region->id);
    if (!region->name.empty()) {
      names_[region->name] = region->id;
      moved_names_.erase(region->name);
    }
  }
  region->resume();
}

void RegionStore::drop(const RegionPtr& region) {
  {
    const std::lock_guard lock(mutex_);
    incoming_.erase(region->id);
    const auto here = regions_.find(region->id);
    if (here == regions_.end() || here->second->name != region->name) free_name_locked(*region);
  }
  region->target.release(region->extent);
}

}  // namespace godwit::objects
