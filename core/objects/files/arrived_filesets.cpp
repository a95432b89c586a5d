#include "objects/files/arrived_filesets.hpp"

#include <algorithm>

namespace godwit::objects {

Result<> ArrivedFilesets::load(journal::Journal& journal) {
  auto records = journal.filesets();
  if (!records) return std::move(records).error();
  add(*records);
  return Done{};
}

void ArrivedFilesets::remove_locked(const Id& id) {
  const auto found = records_.find(id);
  if (found == records_.end()) return;
  paths_.erase({found->second.path, id});
  ages_.erase({found->second.arrival, found->second.path});
  jobs_.erase({found->second.job, id});
  records_.erase(found);
}

void ArrivedFilesets::add(std::span<const journal::FilesetRecord> records) {
  records = records.last(std::min(records.size(), journal::kFilesetsMax));  // As the journal.
  const std::lock_guard lock(mutex_);
  for (const journal::FilesetRecord& record : records) {
    remove_locked(record.id);
    if (const auto before = paths_.lower_bound({record.path, Id{}}); before != paths_.end() && before->first == record.path)
      remove_locked(Id(before->second));  // A copy: the entry that it is in goes.
    records_.emplace(record.id, record);
    paths_.emplace(record.path, record.id);
    ages_.emplace(record.arrival, record.path);
    last_arrival_ = std::max(last_arrival_, record.arrival);
    jobs_.emplace(record.job, record.id);
    if (records_.size() > journal::kFilesetsMax) remove_locked(Id(paths_.lower_bound({ages_.begin()->second, Id{}})->second));
  }
}

uint64_t ArrivedFilesets::next_arrival() {
  const std::lock_guard lock(mutex_);
  return ++last_arrival_;
}

void ArrivedFilesets::forget(std::span<const std::string> paths) {
  const std::lock_guard lock(mutex_);
  for (const std::string& path : paths) {
    std::vector<Id> gone;
    if (const auto top = paths_.lower_bound({path, Id{}}); top != paths_.end() && top->first == path)
      gone.push_back(top->second);
    const std::string below = path + '/';
    for (auto one = paths_.lower_bound({below, Id{}}); one != paths_.end() && one->first.starts_with(below); ++one)
      gone.push_back(one->second);
    for (const Id& id : gone) remove_locked(id);
  }
}

std::vector<journal::FilesetRecord> ArrivedFilesets::find(const Id& id) const {
  const std::lock_guard lock(mutex_);
  std::vector<journal::FilesetRecord> found;
  if (const auto one = records_.find(id); one != records_.end()) found.push_back(one->second);
  for (auto one = jobs_.lower_bound({id, Id{}}); one != jobs_.end() && one->first == id; ++one)
    found.push_back(records_.at(one->second));
  return found;
}

std::optional<journal::FilesetRecord> ArrivedFilesets::find(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  const auto found = paths_.lower_bound({path, Id{}});
  if (found == paths_.end() || found->first != path) return std::nullopt;
  return records_.at(found->second);
}

std::vector<Id> ArrivedFilesets::ids() const {
  const std::lock_guard lock(mutex_);
  std::vector<Id> ids;
  for (const auto& [id, record] : records_) ids.push_back(id);
  return ids;
}

}  // namespace godwit::objects
