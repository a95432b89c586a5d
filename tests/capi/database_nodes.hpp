// What the tests of moving databases share: nodes that have some, and a client's calls.
#pragma once

#include <gtest/gtest.h>

#include <godwit/godwit.h>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/daemon.hpp"

namespace godwit::test {

struct Close {
  void operator()(godwit_client* client) const { godwit_client_close(client); }
  void operator()(godwit_database* database) const { godwit_database_close(database); }
};
using Client = std::unique_ptr<godwit_client, Close>;
using Database = std::unique_ptr<godwit_database, Close>;

inline Client open_client(bool follow = true, uint32_t operation_timeout_ms = 20'000) {
  godwit_client_options options = GODWIT_CLIENT_OPTIONS_INIT;
  options.do_not_follow = follow ? 0 : 1;
  options.operation_timeout_ms = operation_timeout_ms;
  options.connect_timeout_ms = 2000;
  godwit_client* client = nullptr;
  EXPECT_EQ(godwit_client_open(&options, &client), GODWIT_OK);
  return Client(client);
}

inline std::string key_of(int i) { return "key" + std::to_string(100'000 + i); }
inline std::string value_of(int i) { return "value" + std::to_string(i) + std::string(static_cast<size_t>(i % 300), 'v'); }

inline int put(godwit_database* database, std::string_view key, std::string_view value) {
  return godwit_database_put(database, key.data(), key.size(), value.data(), value.size());
}

inline std::string get(godwit_database* database, std::string_view key) {
  std::string value(4096, '\0');
  uint64_t size = value.size();
  const int error = godwit_database_get(database, key.data(), key.size(), value.data(), &size);
  if (error == GODWIT_ERR_NOT_FOUND) return "-";
  EXPECT_EQ(error, GODWIT_OK) << godwit_last_error();
  value.resize(error == GODWIT_OK ? size : 0);
  return value;
}

inline uint64_t count(godwit_database* database) {
  uint64_t keys = 0;
  EXPECT_EQ(godwit_database_count(database, nullptr, 0, &keys), GODWIT_OK) << godwit_last_error();
  return keys;
}

inline Database create(godwit_client* client, const Daemon& at, const char* backend, const char* name = "jobs") {
  godwit_database* made = nullptr;
  EXPECT_EQ(godwit_database_create(client, at.address().c_str(), name, backend, nullptr, &made), GODWIT_OK)
      << godwit_last_error();
  return Database(made);
}

inline Database open(godwit_client* client, const Daemon& at, const char* name = "jobs") {
  godwit_database* found = nullptr;
  return Database(godwit_database_open(client, at.address().c_str(), name, &found) == GODWIT_OK ? found : nullptr);
}

// Files and directories below a directory, but for the database libraries' own logs.
inline std::vector<std::string> entries(const std::string& directory) {
  std::vector<std::string> found;
  if (!std::filesystem::exists(directory)) return found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) found.push_back(entry.path().filename());
  return found;
}

// `fail`: fail points, as of GODWIT_FAIL.
class Node {
 public:
  explicit Node(std::string fail = {})
      : daemon_(DaemonOptions{.targets = {},
                              .more = R"("resolve_interval_ms": 100, "connect_timeout_ms": 2000, "database_root": ")" + root() +
                                      R"(", "file_roots": [{"path": ")" + files() + "\"}]",
                              .environment = {"GODWIT_FAIL=" + fail, "GODWIT_FAIL_PAUSES=" + pauses()}}) {
    std::filesystem::create_directory(files());
  }
  Daemon& operator*() { return daemon_; }
  Daemon* operator->() { return &daemon_; }
  std::string root() const { return directory_.path() + "/root"; }
  std::string files() const { return directory_.path() + "/files"; }
  // Where the files of points that pause are.
  std::string pauses() const { return directory_.path(); }

 private:
  const TemporaryDirectory directory_;
  Daemon daemon_;
};

}  // namespace godwit::test
