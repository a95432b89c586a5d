// Every backend in a directory of its own, and short ways to say what is in it.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "objects/database/backend.hpp"
#include "protocol/batch.hpp"
#include "support/bytes.hpp"
#include "support/daemon.hpp"

namespace godwit::objects {

using namespace std::string_view_literals;
using namespace std::string_literals;

class EveryBackend : public testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override { reopen(Opening::kNew); }

  BackendKind kind() const { return GetParam(); }
  std::string path(const std::string& name) const { return root_.path() + "/" + name; }
  // Where the open database lies; nowhere if it is a map.
  std::string home() const { return is_lasting(kind()) ? path("home") : std::string(); }
  void reopen(Opening opening = Opening::kExisting) {
    backend_.reset();
    auto opened = open_backend(kind(), home(), "", opening);
    ASSERT_TRUE(opened) << opened.error().text;
    backend_ = std::move(*opened);
  }
  void put(std::string_view key, std::string_view value) {
    const Change change{key, value};
    const auto done = backend_->apply({&change, 1});
    ASSERT_TRUE(done) << done.error().text;
  }
  // "key FIRST", "key FIRST+1", ... in one batch: some backends sync each.
  void put_numbered(int first, int count, const std::string& value) {
    std::vector<std::string> keys;
    for (int i = first; i < first + count; ++i) keys.push_back("key " + std::to_string(i));
    std::vector<Change> changes;
    for (const std::string& key : keys) changes.push_back({key, value});
    const auto done = backend_->apply(changes);
    ASSERT_TRUE(done) << done.error().text;
  }
  void erase(std::string_view key) {
    const Change change{key, std::nullopt};
    ASSERT_TRUE(backend_->apply({&change, 1}));
  }
  static std::vector<std::pair<std::string, std::string>> content(Backend& backend, std::string_view from = {}) {
    std::vector<std::pair<std::string, std::string>> all;
    const auto scanned = backend.scan(from, Show::kKeysAndValues, [&](std::string_view key, std::string_view value) {
      all.emplace_back(key, value);
      return true;
    });
    EXPECT_TRUE(scanned) << scanned.error().text;
    return all;
  }

  const test::TemporaryDirectory root_;
  std::unique_ptr<Backend> backend_;
};

inline std::string name_of(const testing::TestParamInfo<BackendKind>& info) { return std::string(to_string(info.param)); }
inline auto all_backends() {
  return testing::Values(BackendKind::kMap, BackendKind::kRocksDb, BackendKind::kLevelDb, BackendKind::kLmdb);
}

// Every file's bytes by its name; those that only say who has it open are left out.
inline std::map<std::string, std::string> files_in(const std::string& directory) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name == "LOCK" || name == "lock.mdb") continue;
    files[name] = test::read_file(entry.path());
  }
  return files;
}

}  // namespace godwit::objects
