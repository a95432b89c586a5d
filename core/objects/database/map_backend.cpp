#include "objects/database/map_backend.hpp"

#include <map>
#include <mutex>
#include <shared_mutex>

#include "objects/database/files.hpp"
#include "objects/database/map_dump.hpp"

namespace godwit::objects {
namespace {

class MapBackend final : public Backend {
 public:
  uint64_t key_bytes_max() const override { return UINT64_MAX; }

  Result<> apply(std::span<const Change> changes) override {
    const std::unique_lock lock(mutex_);
    for (const Change& change : changes) {
      const auto found = pairs_.lower_bound(change.key);
      const bool is_there = found != pairs_.end() && found->first == change.key;
      if (is_there) bytes_ -= found->first.size() + found->second.size();
      if (change.value) {
        bytes_ += change.key.size() + change.value->size();
        if (is_there)
          found->second.assign(*change.value);
        else
          pairs_.emplace_hint(found, change.key, *change.value);
      } else if (is_there) {
        pairs_.erase(found);
      }
    }
    return Done{};
  }

  Result<bool> get(std::string_view key, std::string& value) override {
    const std::shared_lock lock(mutex_);
    const auto found = pairs_.find(key);
    if (found == pairs_.end()) return false;
    value = found->second;
    return true;
  }

  Result<std::optional<uint64_t>> length(std::string_view key) override {
    const std::shared_lock lock(mutex_);
    const auto found = pairs_.find(key);
    return found == pairs_.end() ? std::optional<uint64_t>() : std::optional<uint64_t>(found->second.size());
  }

  Result<> scan(std::string_view from, Show show, const Visit& visit) override {
    const std::shared_lock lock(mutex_);
    for (auto next = pairs_.lower_bound(from); next != pairs_.end(); ++next)
      if (!visit(next->first, show == Show::kKeys ? std::string_view() : next->second)) break;
    return Done{};
  }

  Result<> persist() override { return Done{}; }  // There is nothing that it could last on.

  Result<> checkpoint(const std::string& directory) override {
    return fill_new_directory(directory, [&]() -> Result<> {
      const std::shared_lock lock(mutex_);
      auto dump = DumpWriter::create(directory + "/" + std::string(kDumpName), pairs_.size());
      if (!dump) return std::move(dump).error();
      for (const auto& [key, value] : pairs_)
        if (auto added = dump->add(key, value); !added) return added;
      return dump->finish();
    });
  }
  bool is_immutable(std::string_view) const override { return false; }
  uint64_t bytes() const override {
    const std::shared_lock lock(mutex_);
    return bytes_;
  }

  // Before anybody else sees it.
  Result<> load(const std::string& path) {
    return read_dump(path, [&](std::string_view key, std::string_view value) {
      pairs_.emplace_hint(pairs_.end(), key, value);
      bytes_ += key.size() + value.size();
    });
  }

 private:
  mutable std::shared_mutex mutex_;  // Guards all below.
  std::map<std::string, std::string, std::less<>> pairs_;
  uint64_t bytes_ = 0;
};

}  // namespace

Result<> check_map_options(Options& options) { return options.check(); }

Result<std::unique_ptr<Backend>> open_map(const std::string& directory, Options& options) {
  if (auto valid = check_map_options(options); !valid) return std::move(valid).error();
  auto backend = std::make_unique<MapBackend>();
  if (!directory.empty())
    if (auto loaded = backend->load(directory + "/" + std::string(kDumpName)); !loaded) return std::move(loaded).error();
  return std::unique_ptr<Backend>(std::move(backend));
}

}  // namespace godwit::objects
