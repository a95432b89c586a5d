// ArrivedFilesets: where the trees are that jobs brought to this node, as far as godwit knows: nobody tells it of a tree that
// is removed or renamed since.
#pragma once

#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"

namespace godwit::objects {

// What the journal's table has, in memory: whoever changes the journal tells it, after that. The newest journal::kFilesetsMax.
// Thread-safe; only load() blocks.
class ArrivedFilesets {
 public:
  // At the start. Errors: those of the journal.
  Result<> load(journal::Journal& journal);

  // Each in the place of what was at its path before.
  void add(std::span<const journal::FilesetRecord> records);
  // Of what comes next: no clock, which may be set back.
  uint64_t next_arrival();
  // Those at these paths and below them have been moved on.
  void forget(std::span<const std::string> paths);

  // By the tree's id, or by that of the job that brought it (which may have brought several).
  std::vector<journal::FilesetRecord> find(const Id& id) const;
  // Of the tree at `path`, as objects::normal_path() has it.
  std::optional<journal::FilesetRecord> find(const std::string& path) const;
  std::vector<Id> ids() const;

 private:
  void remove_locked(const Id& id);

  mutable std::mutex mutex_;  // Guards all below.
  uint64_t last_arrival_ = 0;
  std::unordered_map<Id, journal::FilesetRecord> records_;
  std::set<std::pair<std::string, Id>> paths_;       // One of each path.
  std::set<std::pair<uint64_t, std::string>> ages_;  // By arrival, then by path: as the journal orders them.
  std::set<std::pair<Id, Id>> jobs_;                 // Each with its trees.
};

}  // namespace godwit::objects
