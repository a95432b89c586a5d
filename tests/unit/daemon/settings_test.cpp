// The daemon's configuration: what is accepted, and that everything else is refused by the path of its key.
#include "daemon/settings.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "base/units.hpp"
#include "daemon/settings_table.hpp"

namespace {

using godwit::Errc;
using godwit::operator""_KiB;
using godwit::operator""_MiB;
using godwit::operator""_GiB;
using godwit::daemon::parse_settings;
using godwit::daemon::Settings;
using godwit::daemon::settings_table;
using godwit::daemon::SettingType;
using nlohmann::json;

// A whole valid file, in our shape.
json valid() {
  return json::parse(R"({"state_dir": "/tmp/x", "listen": ["tcp://127.0.0.1:0"],
    "targets": [{"name": "fast", "type": "dram", "config": {"capacity": "2GiB"}},
                {"name": "keep", "type": "pmem", "config": {"capacity": 1048576, "path": "/tmp/x/pool"}}]})");
}

// Expects that it is refused, and that the text names `path`.
void expect_refused(const std::string& text, const std::string& path) {
  const auto parsed = parse_settings(text, "here.json");
  ASSERT_FALSE(parsed) << text;
  EXPECT_EQ(parsed.error().code, Errc::kConfig) << text;
  EXPECT_NE(parsed.error().text.find("here.json"), std::string::npos) << parsed.error().text;
  EXPECT_NE(parsed.error().text.find(path), std::string::npos) << "for " << text << "\n  it said: " << parsed.error().text;
}

json with(const std::string& pointer, const json& value) {
  json document = valid();
  document[json::json_pointer(pointer)] = value;
  return document;
}

TEST(Settings, ShortestFileHasDefaults) {
  const auto parsed = parse_settings(R"({"state_dir": "/tmp/x"})", "here.json");
  ASSERT_TRUE(parsed) << parsed.error().text;
  const Settings defaults;
  EXPECT_EQ(parsed->state_dir, "/tmp/x");
  EXPECT_EQ(parsed->listen, defaults.listen);
  EXPECT_TRUE(parsed->targets.empty());
  for (const auto& row : settings_table()) EXPECT_EQ(row.value(*parsed), row.value(defaults)) << row.key;
}

TEST(Settings, TargetsAreRead) {
  const auto parsed = parse_settings(valid().dump(), "here.json");
  ASSERT_TRUE(parsed) << parsed.error().text;
  ASSERT_EQ(parsed->targets.size(), 2u);
  EXPECT_EQ(parsed->targets[0].name, "fast");
  EXPECT_EQ(parsed->targets[0].kind, godwit::pmem::Kind::kDram);
  EXPECT_EQ(parsed->targets[0].capacity_bytes, 2_GiB);
  EXPECT_EQ(parsed->targets[1].kind, godwit::pmem::Kind::kPmem);
  EXPECT_EQ(parsed->targets[1].path, "/tmp/x/pool");
  EXPECT_EQ(parsed->targets[1].capacity_bytes, 1_MiB);
}

TEST(Settings, ShapeWithProvidersIsRead) {
  const auto parsed = parse_settings(R"({"state_dir": "/tmp/x", "providers": [{"name": "store", "provider_id": 1, "config": {
    "targets": [{"name": "fast", "type": "memory", "config": {"capacity": "1MiB"}}],
    "transfer_manager": {"type": "pipeline", "config": {"num_threads": 4, "pipeline_size": 262144}}}}]})",
                                     "here.json");
  ASSERT_TRUE(parsed) << parsed.error().text;
  ASSERT_EQ(parsed->targets.size(), 1u);
  EXPECT_EQ(parsed->targets[0].kind, godwit::pmem::Kind::kDram);
  EXPECT_EQ(parsed->engine.streams, 4u);
  EXPECT_EQ(parsed->engine.pipeline_bytes, 256_KiB);
  EXPECT_LE(parsed->engine.block_bytes, 256_KiB);
}

TEST(Settings, EveryKeyOfTheTableRefusesEveryOtherType) {
  const json wrong[] = {nullptr, true, -1, 1.5, "not a value", json::array(), json::object()};
  for (const auto& row : settings_table())
    for (const json& value : wrong) {
      if (row.type == SettingType::kFlag && value.is_boolean()) continue;
      if (row.type == SettingType::kText && row.choices.empty() && value.is_string()) continue;
      expect_refused(with("/" + std::string(row.key), value).dump(), std::string(row.key));
    }
}

TEST(Settings, EveryNumberHasBounds) {
  for (const auto& row : settings_table()) {
    const std::string pointer = "/" + std::string(row.key);
    if (row.type == SettingType::kFlag || row.type == SettingType::kText) continue;
    if (row.least > 0) expect_refused(with(pointer, row.least - 1).dump(), std::string(row.key));
    expect_refused(with(pointer, row.most + 1).dump(), std::string(row.key));
    expect_refused(with(pointer, UINT64_MAX).dump(), std::string(row.key));
    for (const uint64_t value : {row.least, row.most}) {
      const auto parsed = parse_settings(with(pointer, value).dump(), "here.json");
      EXPECT_TRUE(parsed) << row.key << ": " << (parsed ? "" : parsed.error().text);
    }
  }
}

// The schema checks the bounds of numbers alone.
TEST(Settings, PipelineSizeAsTextHasBounds) {
  const auto manager = [](const char* size) { return json{{"config", {{"pipeline_size", size}}}}; };
  expect_refused(with("/transfer_manager", manager("4B")).dump(), "transfer_manager.config.pipeline_size");
  expect_refused(with("/transfer_manager", manager("1TiB")).dump(), "transfer_manager.config.pipeline_size");
  const auto parsed = parse_settings(with("/transfer_manager", manager("4MiB")).dump(), "here.json");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->engine.pipeline_bytes, 4_MiB);
}

TEST(Settings, UnknownKeysAreNamedWithTheirPath) {
  expect_refused(with("/targts", 1).dump(), "targts");
  expect_refused(with("/targets/0/capacity", "1GiB").dump(), "targets[0]");
  expect_refused(with("/targets/1/config/capcity", "1GiB").dump(), "targets[1].config");
  expect_refused(with("/transfer_manager", json{{"type", "pipeline"}, {"size", 1}}).dump(), "transfer_manager");
}

TEST(Settings, TargetsThatCannotBeAreRefused) {
  expect_refused(with("/targets", "fast").dump(), "targets");
  expect_refused(with("/targets/0/name", "").dump(), "targets[0].name");
  expect_refused(with("/targets/0/name", "a/b").dump(), "targets[0].name");
  expect_refused(with("/targets/1/name", "fast").dump(), "targets[1].name");
  expect_refused(with("/targets/0/type", "tape").dump(), "targets[0].type");
  expect_refused(with("/targets/0/type", 7).dump(), "targets[0].type");
  expect_refused(with("/targets/0/config/capacity", "lots").dump(), "targets[0].config.capacity");
  expect_refused(with("/targets/0/config/capacity", "99999999999999TiB").dump(), "targets[0].config.capacity");
  expect_refused(with("/targets/0/config/capacity", -5).dump(), "targets[0].config.capacity");
  expect_refused(with("/targets/0/config/capacity", 0).dump(), "targets[0].config");
  expect_refused(with("/targets/1/config/path", "").dump(), "targets[1].config.path");
  json no_path = valid();
  no_path["targets"][1]["config"].erase("path");
  expect_refused(no_path.dump(), "targets[1].config");
}

TEST(Settings, AddressesThatCannotBeAreRefused) {
  expect_refused(with("/listen", json::array()).dump(), "listen");
  expect_refused(with("/listen/0", "127.0.0.1").dump(), "listen[0]");
  expect_refused(with("/listen/0", 7411).dump(), "listen[0]");
  for (const char* everywhere : {"tcp://0.0.0.0:7411", "tcp://:7411", "tcp://[::]:7411"})
    expect_refused(with("/listen/0", everywhere).dump(), "listen[0]");
  expect_refused(with("/listen", {"tcp://127.0.0.1:0", "tcp://127.0.0.1:1"}).dump(), "listen[1]");
}

TEST(Settings, MetricsAreAtAnAddressInDigitsOrNot) {
  for (const char* good : {"auto", "off", "127.0.0.1:0", "0.0.0.0:9100", "[::1]:65535"}) {
    const auto parsed = parse_settings(with("/metrics", good).dump(), "here.json");
    ASSERT_TRUE(parsed) << parsed.error().text;
    EXPECT_EQ(parsed->metrics, good);
  }
  for (const char* bad :
       {"", "on", "localhost:9100", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80s",
        "127.0.0.1:80,0.0.0.0:81", "[127.0.0.1]:80", "::1:80", "[::1:80", "[::1]", "127.0.0.1:80\n"})
    expect_refused(with("/metrics", bad).dump(), "metrics");
}

TEST(Settings, FilesThatAreNoConfigurationAreRefused) {
  expect_refused("", "not JSON");
  expect_refused("{", "not JSON");
  expect_refused("{\"state_dir\": \"\xff\xfe\"}", "not JSON");
  expect_refused("[]", "the configuration");
  expect_refused("{}", "state_dir");
  expect_refused(R"({"state_dir": ""})", "state_dir");
  expect_refused(std::string(100'000, '['), "not JSON");
}

// Any byte of a valid file may be damaged: it is read or refused, and nothing else happens.
TEST(Settings, DamagedFilesEndInAnError) {
  const std::string text = valid().dump();
  std::mt19937 random(20'250'101);
  for (unsigned round = 0; round < 3'000; ++round) {
    std::string damaged = text;
    for (unsigned i = 0; i <= round % 4; ++i) damaged[random() % damaged.size()] = static_cast<char>(random());
    const auto parsed = parse_settings(damaged, "here.json");
    EXPECT_TRUE(parsed || parsed.error().code == Errc::kConfig) << damaged;
  }
}

TEST(Settings, MembersOfAGroupAreAddressesEachOnce) {
  auto text = valid();
  text["group"] = {{"members", {"tcp://n1:7411", "tcp://n2:7411"}}};
  const auto parsed = parse_settings(text.dump(), "here.json");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->group_members, (std::vector<std::string>{"tcp://n1:7411", "tcp://n2:7411"}));
  EXPECT_TRUE(parse_settings(valid().dump(), "here.json")->group_members.empty());
  const auto refuses = [&](json group, const std::string& path) {
    text["group"] = std::move(group);
    expect_refused(text.dump(), path);
  };
  refuses(json::object(), "group");
  refuses({{"members", "tcp://n1:7411"}}, "group.members");
  refuses({{"members", {"tcp://n1:7411", "n2"}}}, "group.members[1]");
  refuses({{"members", {"tcp://n1:7411", "tcp://n1:7411"}}}, "group.members[1]");
  refuses({{"members", json::array()}, {"more", 1}}, "group");
  refuses({{"members", std::vector<std::string>(1'025, "tcp://n1:7411")}}, "group.members");
}

TEST(Settings, AGroupHasMembersOrADirectory) {
  auto text = valid();
  const json directory = {{"directory", "etcd"}, {"endpoints", {"http://10.0.0.1:2379"}}, {"name", "cluster"}};
  text["group"] = directory;
  const auto parsed = parse_settings(text.dump(), "here.json");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->etcd.endpoints, (std::vector<std::string>{"http://10.0.0.1:2379"}));
  EXPECT_EQ(parsed->group_name, "cluster");
  EXPECT_TRUE(parsed->group_members.empty());
  const auto refuses = [&](const std::string& key, const json& value, const std::string& path) {
    text["group"] = directory;
    if (value.is_null())
      text["group"].erase(key);
    else
      text["group"][key] = value;
    expect_refused(text.dump(), path);
  };
  refuses("directory", "zookeeper", "group.directory");
  refuses("directory", nullptr, "group");
  refuses("endpoints", nullptr, "endpoints");
  refuses("endpoints", json::array(), "group.endpoints");
  refuses("endpoints", {"10.0.0.1:2379"}, "group.endpoints[0]");
  refuses("endpoints", {"file:///etc/passwd"}, "group.endpoints[0]");
  refuses("endpoints", {"http://10.0.0.1:2379/path"}, "group.endpoints[0]");
  refuses("name", nullptr, "name");
  refuses("name", "a/b", "group.name");
  refuses("members", {"tcp://n1:7411"}, "group");
  text["group"] = {{"members", {"tcp://n1:7411"}}, {"name", "cluster"}};
  expect_refused(text.dump(), "group");
}

TEST(Settings, ADirectoryMayAskForAPassword) {
  auto text = valid();
  const std::string path = testing::TempDir() + "godwit-etcd-password";
  const auto write = [&path](const std::string& password, std::filesystem::perms mode) {
    std::ofstream(path) << password;
    std::filesystem::permissions(path, mode);
  };
  constexpr auto kOwnOnly = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;
  write("secret \xc3\xa9\n", kOwnOnly);
  const json directory = {{"directory", "etcd"},  {"endpoints", {"https://e1:2379", "http://127.0.0.1:2379"}},
                          {"name", "cluster"},    {"user", "nodes"},
                          {"ca_file", "/etc/ca"}, {"password_file", path}};
  text["group"] = directory;
  const auto parsed = parse_settings(text.dump(), "here.json");
  ASSERT_TRUE(parsed) << parsed.error().text;
  EXPECT_EQ(parsed->etcd.user, "nodes");
  EXPECT_EQ(parsed->etcd.password, "secret \xc3\xa9");
  EXPECT_EQ(parsed->etcd.ca_file, "/etc/ca");
  const auto refuses = [&](const std::string& key, const json& value, const std::string& said) {
    text["group"] = directory;
    if (value.is_null())
      text["group"].erase(key);
    else
      text["group"][key] = value;
    expect_refused(text.dump(), said);
  };
  refuses("user", nullptr, "group");
  refuses("password_file", nullptr, "group");
  refuses("password_file", "relative", "group.password_file");
  refuses("endpoints", {"https://e1:2379", "http://e2:2379"}, "group.endpoints");
  refuses("endpoints", {"http://127.0.0.1.example.org:2379"}, "group.endpoints");
  refuses("endpoints", {"http://localhost.example.org"}, "group.endpoints");
  write("", kOwnOnly);
  refuses("name", "cluster", "group.password_file");
  write(std::string(2'000, 'x'), kOwnOnly);
  refuses("name", "cluster", "group.password_file");
  write("\xff", kOwnOnly);
  refuses("name", "cluster", "group.password_file");
  write("secret", kOwnOnly | std::filesystem::perms::group_read);
  refuses("name", "cluster", "0640");
  std::filesystem::remove(path);
  text["group"] = directory;
  const auto lost = parse_settings(text.dump(), "here.json");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::kNotFound);
  text["group"] = {{"members", {"tcp://n1:7411"}}, {"ca_file", "/etc/ca"}};
  expect_refused(text.dump(), "group");
}

TEST(Settings, ACertificateForADirectoryComesWithItsKey) {
  auto text = valid();
  const json directory = {{"directory", "etcd"},
                          {"endpoints", {"https://e1:2379"}},
                          {"name", "cluster"},
                          {"cert_file", "/nowhere/cert"},
                          {"key_file", "/nowhere/key"}};
  const auto refuses = [&](const std::string& key, const json& value, const std::string& said) {
    text["group"] = directory;
    if (value.is_null())
      text["group"].erase(key);
    else
      text["group"][key] = value;
    expect_refused(text.dump(), said);
  };
  refuses("cert_file", nullptr, "a key_file a cert_file");
  refuses("key_file", nullptr, "a cert_file needs a key_file");
  refuses("key_file", "relative", "group.key_file");
  refuses("cert_file", "relative", "group.cert_file");
  refuses("endpoints", {"https://e1:2379", "http://127.0.0.1:2379"}, "group.endpoints");
  text["group"] = directory;
  const auto lost = parse_settings(text.dump(), "here.json");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::kNotFound);
  EXPECT_NE(lost.error().text.find("group.cert_file"), std::string::npos) << lost.error().text;
  for (const char* key : {"cert_file", "key_file"}) {
    text["group"] = {{"members", {"tcp://n1:7411"}}, {key, "/etc/godwit/file"}};
    expect_refused(text.dump(), "is for a directory");
  }
}

TEST(SettingsDatabases, AreReadWithAbsolutePaths) {
  json document = valid();
  document["database_root"] = "some/root/";
  document["databases"] = json::parse(R"([{"name": "m", "backend": "map"},
    {"name": "r", "backend": "rocksdb", "path": "relative/../r/", "options": {"write_buffer_size": "1MiB"}}])");
  const auto settings = parse_settings(document.dump(), "here.json");
  ASSERT_TRUE(settings) << settings.error().text;
  ASSERT_EQ(settings->databases.size(), 2u);
  const std::string here = std::filesystem::canonical(std::filesystem::current_path());
  EXPECT_EQ(settings->databases[1].path, here + "/r");
  EXPECT_EQ(settings->database_root, here + "/some/root");
  EXPECT_EQ(settings->databases[0].path, "");
}

TEST(SettingsDatabases, WhatIsWrongIsRefusedByItsKey) {
  const auto refused = [](const char* databases, const std::string& path) {
    json document = valid();
    document["databases"] = json::parse(databases);
    expect_refused(document.dump(), path);
  };
  refused(R"([{"name": "d"}])", "databases[0]");
  refused(R"([{"name": "d", "backend": "mysql"}])", "databases[0].backend");
  refused(R"([{"name": "", "backend": "map"}])", "databases[0].name");
  refused(R"([{"name": "a\tb", "backend": "map"}])", "databases[0].name");
  refused(R"([{"name": "d", "backend": "map", "path": "/x"}])", "databases[0]");
  refused(R"([{"name": "d", "backend": "lmdb"}])", "databases[0]");
  refused(R"([{"name": "d", "backend": "map", "more": 1}])", "databases[0]");
  refused(R"([{"name": "d", "backend": "lmdb", "path": "/x", "options": {"what": 1}}])", "databases[0].options");
  refused(R"([{"name": "d", "backend": "map"}, {"name": "d", "backend": "map"}])", "databases[1].name");
  refused(R"([{"name": "a", "backend": "lmdb", "path": "/x"}, {"name": "b", "backend": "lmdb", "path": "/y/../x/"}])",
          "databases[1].path");
}

}  // namespace
