// Databases through libgodwit, against real daemons.
#include <gtest/gtest.h>

#include <godwit/godwit.h>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using godwit::test::TemporaryDirectory;
using namespace std::string_literals;
using namespace std::string_view_literals;

struct Close {
  void operator()(godwit_client* client) const { godwit_client_close(client); }
  void operator()(godwit_database* database) const { godwit_database_close(database); }
};
using Client = std::unique_ptr<godwit_client, Close>;
using Database = std::unique_ptr<godwit_database, Close>;

Client open_client(uint32_t operation_timeout_ms = 0) {
  godwit_client_options options = GODWIT_CLIENT_OPTIONS_INIT;
  options.operation_timeout_ms = operation_timeout_ms;
  godwit_client* client = nullptr;
  EXPECT_EQ(godwit_client_open(&options, &client), GODWIT_OK);
  return Client(client);
}

int put(godwit_database* database, std::string_view key, std::string_view value) {
  return godwit_database_put(database, key.data(), key.size(), value.data(), value.size());
}

// "-" for one that is not there.
std::string get(godwit_database* database, std::string_view key) {
  uint64_t size = 0;
  int error = godwit_database_get(database, key.data(), key.size(), nullptr, &size);
  if (error == GODWIT_ERR_NOT_FOUND) return "-";
  std::string value(size, '\0');
  if (error == GODWIT_ERR_RANGE) error = godwit_database_get(database, key.data(), key.size(), value.data(), &size);
  EXPECT_EQ(error, GODWIT_OK) << godwit_last_error();
  return value;
}

std::vector<std::pair<std::string, std::string>> list(godwit_database* database, std::string_view prefix = {},
                                                      std::string_view from = {}, uint64_t max = 0) {
  godwit_key_value* found = nullptr;
  size_t count = 0;
  EXPECT_EQ(
      godwit_database_list_key_values(database, prefix.data(), prefix.size(), from.data(), from.size(), max, &found, &count),
      GODWIT_OK)
      << godwit_last_error();
  std::vector<std::pair<std::string, std::string>> all;
  for (size_t i = 0; i < count; ++i)
    all.emplace_back(std::string(static_cast<const char*>(found[i].key), found[i].key_size),
                     std::string(static_cast<const char*>(found[i].value), found[i].value_size));
  godwit_free(found);
  return all;
}

class Databases : public testing::TestWithParam<const char*> {
 protected:
  Databases() : daemon_(DaemonOptions{.more = "\"database_root\": \"" + root_.path() + "/root\""}), client_(open_client()) {
    database_ = create("things");
  }
  bool lasts() const { return GetParam() != "map"sv; }
  const char* address() const { return daemon_.address().c_str(); }
  Database create(const char* name) {
    godwit_database* made = nullptr;
    EXPECT_EQ(godwit_database_create(client_.get(), address(), name, GetParam(), nullptr, &made), GODWIT_OK)
        << godwit_last_error();
    return Database(made);
  }
  Database open(const char* name) {
    godwit_database* found = nullptr;
    EXPECT_EQ(godwit_database_open(client_.get(), address(), name, &found), GODWIT_OK) << godwit_last_error();
    return Database(found);
  }
  godwit_database* db() const { return database_.get(); }

  const TemporaryDirectory root_;
  Daemon daemon_;
  Client client_;
  Database database_;
};

TEST_P(Databases, OneKeyAtATime) {
  EXPECT_EQ(put(db(), "key", "value"), GODWIT_OK);
  EXPECT_EQ(put(db(), "zero\0byte"sv, "a\0b"sv), GODWIT_OK);
  EXPECT_EQ(put(db(), "empty", ""), GODWIT_OK);
  EXPECT_EQ(get(db(), "key"), "value");
  EXPECT_EQ(get(db(), "zero\0byte"sv), "a\0b"s);
  EXPECT_EQ(get(db(), "empty"), "");
  EXPECT_EQ(get(db(), "none"), "-");
  int exists = -1;
  EXPECT_EQ(godwit_database_exists(db(), "key", 3, &exists), GODWIT_OK);
  EXPECT_EQ(exists, 1);
  uint64_t length = 99;
  EXPECT_EQ(godwit_database_length(db(), "none", 4, &length), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(length, 99u);
  EXPECT_EQ(godwit_database_length(db(), "key", 3, &length), GODWIT_OK);
  EXPECT_EQ(length, 5u);
  EXPECT_EQ(godwit_database_erase(db(), "key", 3), GODWIT_OK);
  EXPECT_EQ(godwit_database_erase(db(), "key", 3), GODWIT_OK);
  EXPECT_EQ(godwit_database_exists(db(), "key", 3, &exists), GODWIT_OK);
  EXPECT_EQ(exists, 0);
  uint64_t count = 0;
  EXPECT_EQ(godwit_database_count(db(), nullptr, 0, &count), GODWIT_OK);
  EXPECT_EQ(count, 2u);
}

TEST_P(Databases, ATooSmallBufferIsUntouchedAndToldTheSize) {
  ASSERT_EQ(put(db(), "key", "0123456789"), GODWIT_OK);
  char buffer[5] = "xxxx";
  uint64_t size = 4;
  EXPECT_EQ(godwit_database_get(db(), "key", 3, buffer, &size), GODWIT_ERR_RANGE);
  EXPECT_EQ(size, 10u);
  EXPECT_STREQ(buffer, "xxxx");
  const std::string large(200'000, 'v');
  ASSERT_EQ(put(db(), "key", large), GODWIT_OK);
  EXPECT_EQ(godwit_database_get(db(), "key", 3, buffer, &size), GODWIT_ERR_RANGE);
  EXPECT_EQ(size, large.size());
}

TEST_P(Databases, ValuesOfEverySizeUpTo64MiB) {
  for (const size_t size : {0u, 1u, 16'371u, 16'372u, 16'384u, 16'385u, 65'536u, 65'537u, 1'000'003u, 64u << 20}) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; i += 997) value[i] = static_cast<char>(i);
    ASSERT_EQ(put(db(), "key", value), GODWIT_OK) << size << godwit_last_error();
    EXPECT_TRUE(get(db(), "key") == value) << size;
  }
  EXPECT_EQ(put(db(), "key", std::string((64u << 20) + 1, 'v')), GODWIT_ERR_LIMIT);
}

TEST_P(Databases, KeysHaveTheirLimits) {
  EXPECT_EQ(put(db(), "", "v"), GODWIT_ERR_INVALID);
  EXPECT_EQ(put(db(), std::string(65'537, 'k'), "v"), GODWIT_ERR_LIMIT);
  const bool is_lmdb = GetParam() == "lmdb"sv;
  EXPECT_EQ(put(db(), std::string(65'536, 'k'), "v"), is_lmdb ? GODWIT_ERR_LIMIT : GODWIT_OK);
  EXPECT_EQ(put(db(), std::string(511, 'k'), "v"), GODWIT_OK);
  EXPECT_EQ(get(db(), std::string(511, 'k')), "v");
}

TEST_P(Databases, ManyKeysAtOnceInlineAndByRma) {
  for (const size_t count : {0u, 1u, 7u, 20'000u}) {
    std::vector<std::string> texts;
    for (size_t i = 0; i < count; ++i) texts.push_back("key " + std::to_string(i));
    texts.push_back("none");
    std::vector<const void*> keys;
    std::vector<size_t> key_sizes;
    std::vector<uint64_t> sizes;
    for (const std::string& text : texts) {
      keys.push_back(text.data());
      key_sizes.push_back(text.size());
      sizes.push_back(text.size());
    }
    // Each key is its own value.
    ASSERT_EQ(godwit_database_put_multi(db(), count, keys.data(), key_sizes.data(), keys.data(), sizes.data()), GODWIT_OK)
        << godwit_last_error();
    std::vector<std::string> rooms(count + 1, std::string(16, '\0'));
    std::vector<void*> places;
    for (std::string& room : rooms) places.push_back(room.data());
    std::vector<uint64_t> got(count + 1, 16);
    ASSERT_EQ(godwit_database_get_multi(db(), count + 1, keys.data(), key_sizes.data(), places.data(), got.data()), GODWIT_OK)
        << godwit_last_error();
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(rooms[i].substr(0, got[i]), texts[i]);
    EXPECT_EQ(got[count], GODWIT_NO_VALUE);
    std::vector<uint64_t> lengths(count + 1);
    ASSERT_EQ(godwit_database_length_multi(db(), count + 1, keys.data(), key_sizes.data(), lengths.data()), GODWIT_OK);
    EXPECT_EQ(lengths, got);
    std::vector<int> exist(count + 1);
    ASSERT_EQ(godwit_database_exists_multi(db(), count + 1, keys.data(), key_sizes.data(), exist.data()), GODWIT_OK);
    EXPECT_EQ(exist.front(), count > 0 ? 1 : 0);
    EXPECT_EQ(exist.back(), 0);
    if (count > 1) {
      got.assign(count + 1, 16);
      got[1] = 3;
      EXPECT_EQ(godwit_database_get_multi(db(), count + 1, keys.data(), key_sizes.data(), places.data(), got.data()),
                GODWIT_ERR_RANGE);
      EXPECT_EQ(got[1], sizes[1]);
      EXPECT_EQ(got[0], sizes[0]);
    }
    ASSERT_EQ(godwit_database_erase_multi(db(), count, keys.data(), key_sizes.data()), GODWIT_OK);
    EXPECT_TRUE(list(db()).empty());
  }
}

TEST_P(Databases, ABatchWithOneBadKeyStoresNothing) {
  const void* keys[] = {"good", ""};
  const size_t key_sizes[] = {4, 0};
  const void* values[] = {"1", "2"};
  const uint64_t sizes[] = {1, 1};
  EXPECT_EQ(godwit_database_put_multi(db(), 2, keys, key_sizes, values, sizes), GODWIT_ERR_INVALID);
  EXPECT_EQ(get(db(), "good"), "-");
}

TEST_P(Databases, ListingsGoOverManyPages) {
  constexpr size_t kCount = 60'000;
  std::vector<std::string> texts;
  for (size_t i = 0; i < kCount; ++i) {
    char text[16];
    std::snprintf(text, sizeof text, "k%08zu", i);
    texts.emplace_back(text);
  }
  std::vector<const void*> keys, values;
  std::vector<size_t> key_sizes;
  std::vector<uint64_t> sizes;
  const std::string value(100, 'v');
  for (const std::string& text : texts) {
    keys.push_back(text.data());
    key_sizes.push_back(text.size());
    values.push_back(value.data());
    sizes.push_back(value.size());
  }
  ASSERT_EQ(godwit_database_put_multi(db(), kCount, keys.data(), key_sizes.data(), values.data(), sizes.data()), GODWIT_OK)
      << godwit_last_error();
  const auto all = list(db());
  ASSERT_EQ(all.size(), kCount);
  for (size_t i = 0; i < kCount; ++i) ASSERT_EQ(all[i].first, texts[i]);
  EXPECT_EQ(list(db(), "k0000001").size(), 10u);
  EXPECT_EQ(list(db(), "k", "k00059989").size(), 10u);
  EXPECT_EQ(list(db(), "k", "k00000009", 3).front().first, "k00000010");
  EXPECT_EQ(list(db(), {}, {}, 30'000).size(), 30'000u);
  godwit_key_value* found = nullptr;
  size_t count = 0;
  ASSERT_EQ(godwit_database_list_keys(db(), "k0", 2, nullptr, 0, 0, &found, &count), GODWIT_OK);
  EXPECT_EQ(count, kCount);
  EXPECT_EQ(found[7].value, nullptr);
  godwit_free(found);
  uint64_t counted = 0;
  EXPECT_EQ(godwit_database_count(db(), "k0000", 5, &counted), GODWIT_OK);
  EXPECT_EQ(counted, 10'000u);
}

TEST_P(Databases, AListingWithLargeValues) {
  const std::string large(3'000'000, 'v');
  for (const char* key : {"a", "b", "c"}) ASSERT_EQ(put(db(), key, large), GODWIT_OK);
  const auto all = list(db());
  ASSERT_EQ(all.size(), 3u);
  for (const auto& [key, value] : all) EXPECT_TRUE(value == large);
}

TEST_P(Databases, Documents) {
  ASSERT_EQ(godwit_collection_create(db(), "people"), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(godwit_collection_create(db(), "people"), GODWIT_ERR_EXISTS);
  uint64_t id = 99, size = 99;
  EXPECT_EQ(godwit_collection_last_id(db(), "people", &id), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_collection_size(db(), "nobody", &size), GODWIT_ERR_NOT_FOUND);
  ASSERT_EQ(godwit_document_store(db(), "people", "Ada", 3, &id), GODWIT_OK);
  EXPECT_EQ(id, 0u);
  const std::string large(500'000, 'L');
  const void* documents[] = {"Bob", large.data(), ""};
  const uint64_t sizes[] = {3, large.size(), 0};
  ASSERT_EQ(godwit_document_store_multi(db(), "people", 3, documents, sizes, &id), GODWIT_OK);
  EXPECT_EQ(id, 1u);
  EXPECT_EQ(godwit_collection_last_id(db(), "people", &id), GODWIT_OK);
  EXPECT_EQ(id, 3u);
  EXPECT_EQ(godwit_collection_size(db(), "people", &size), GODWIT_OK);
  EXPECT_EQ(size, 4u);
  std::string text(large.size(), '\0');
  size = text.size();
  ASSERT_EQ(godwit_document_load(db(), "people", 2, text.data(), &size), GODWIT_OK);
  EXPECT_TRUE(text == large);
  size = 2;
  EXPECT_EQ(godwit_document_load(db(), "people", 0, text.data(), &size), GODWIT_ERR_RANGE);
  EXPECT_EQ(size, 3u);
  EXPECT_EQ(godwit_document_load(db(), "people", 7, text.data(), &size), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_document_update(db(), "people", 7, "x", 1), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_document_update(db(), "people", 1, "Bert", 4), GODWIT_OK);
  EXPECT_EQ(godwit_document_length(db(), "people", 1, &size), GODWIT_OK);
  EXPECT_EQ(size, 4u);
  const uint64_t gone[] = {0, 9};
  EXPECT_EQ(godwit_document_erase_multi(db(), "people", 2, gone), GODWIT_OK);
  const uint64_t ids[] = {0, 1, 3};
  uint64_t lengths[3];
  EXPECT_EQ(godwit_document_length_multi(db(), "people", 3, ids, lengths), GODWIT_OK);
  EXPECT_EQ(lengths[0], GODWIT_NO_VALUE);
  EXPECT_EQ(lengths[1], 4u);
  EXPECT_EQ(lengths[2], 0u);
  godwit_document* found = nullptr;
  size_t count = 0;
  ASSERT_EQ(godwit_document_list(db(), "people", 0, 2, &found, &count), GODWIT_OK);
  ASSERT_EQ(count, 2u);
  EXPECT_EQ(found[0].id, 1u);
  EXPECT_EQ(std::string_view(static_cast<const char*>(found[0].data), found[0].size), "Bert");
  EXPECT_EQ(found[1].size, large.size());
  godwit_free(found);
  // Keys and documents do not see each other.
  EXPECT_TRUE(list(db()).empty());
  ASSERT_EQ(godwit_collection_create(db(), "animals"), GODWIT_OK);
  godwit_collection_name* names = nullptr;
  ASSERT_EQ(godwit_collection_list(db(), &names, &count), GODWIT_OK);
  ASSERT_EQ(count, 2u);
  EXPECT_STREQ(names[0].name, "animals");
  EXPECT_STREQ(names[1].name, "people");
  godwit_free(names);
  EXPECT_EQ(godwit_collection_drop(db(), "people"), GODWIT_OK);
  EXPECT_EQ(godwit_document_load(db(), "people", 1, text.data(), &size), GODWIT_ERR_NOT_FOUND);
}

TEST_P(Databases, AreListedOpenedAndDestroyed) {
  Database other = create("others");
  godwit_database* taken = nullptr;
  EXPECT_EQ(godwit_database_create(client_.get(), address(), "others", GetParam(), nullptr, &taken), GODWIT_ERR_EXISTS);
  EXPECT_EQ(godwit_database_create(client_.get(), address(), "x", "mysql", nullptr, &taken), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_create(client_.get(), address(), "x", GetParam(), "{\"what\": 1}", &taken), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_create(client_.get(), address(), "a\nb", GetParam(), nullptr, &taken), GODWIT_ERR_INVALID);
  godwit_database_info* infos = nullptr;
  size_t count = 0;
  ASSERT_EQ(godwit_database_list(client_.get(), address(), &infos, &count), GODWIT_OK);
  EXPECT_EQ(count, 2u);
  godwit_free(infos);
  godwit_database_info info{};
  ASSERT_EQ(godwit_database_stat(other.get(), &info), GODWIT_OK);
  EXPECT_STREQ(info.name, "others");
  EXPECT_STREQ(info.backend, GetParam());
  EXPECT_EQ(info.address, daemon_.address());
  EXPECT_EQ(std::string(info.path).starts_with(root_.path()), lasts());
  char id[33];
  godwit_region_id_format(info.id, id);
  EXPECT_EQ(put(open(id).get(), "key", "value"), GODWIT_OK);
  EXPECT_EQ(get(open("others").get(), "key"), "value");
  EXPECT_EQ(godwit_database_destroy(other.get()), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(put(other.get(), "key", "value"), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_database_open(client_.get(), address(), "others", &taken), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(put(create("others").get(), "key", "value"), GODWIT_OK);
}

TEST_P(Databases, ManyThreadsUseOneHandle) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 15; ++i) {
        const std::string key = std::to_string(t) + "." + std::to_string(i), value((i % 3 == 2) ? 100'000 : 10, 'v');
        EXPECT_EQ(put(db(), key, value), GODWIT_OK) << godwit_last_error();
        EXPECT_TRUE(get(db(), key) == value);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(list(db()).size(), 60u);
}

TEST_P(Databases, AcknowledgedKeysSurviveAKilledDaemon) {
  ASSERT_EQ(godwit_collection_create(db(), "c"), GODWIT_OK);
  for (int i = 0; i < 50; ++i) ASSERT_EQ(put(db(), "key " + std::to_string(i), "value"), GODWIT_OK);
  ASSERT_EQ(godwit_document_store(db(), "c", "doc", 3, nullptr), GODWIT_OK);
  ASSERT_EQ(godwit_database_persist(db()), GODWIT_OK);
  ASSERT_EQ(put(db(), "after persist", "too"), GODWIT_OK);
  daemon_.kill();
  daemon_.start();
  const Client client = open_client();
  godwit_database* again = nullptr;
  const int opened = godwit_database_open(client.get(), address(), "things", &again);
  const Database owner(again);
  if (!lasts()) {
    EXPECT_EQ(opened, GODWIT_ERR_NOT_FOUND);
    return;
  }
  ASSERT_EQ(opened, GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(list(again, "key ").size(), 50u);
  EXPECT_EQ(get(again, "after persist"), "too");
  uint64_t id = 99;
  EXPECT_EQ(godwit_document_store(again, "c", "next", 4, &id), GODWIT_OK);
  EXPECT_EQ(id, 1u);
}

TEST_P(Databases, NullsAreRefused) {
  uint64_t number = 0;
  size_t count = 0;
  EXPECT_EQ(put(nullptr, "k", "v"), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_put(db(), nullptr, 3, "v", 1), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_put(db(), "k", 1, nullptr, 1), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_put_multi(db(), 1, nullptr, nullptr, nullptr, nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_get(db(), "k", 1, nullptr, nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_get_multi(db(), 1, nullptr, nullptr, nullptr, nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_count(nullptr, nullptr, 0, &number), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_count(db(), nullptr, 3, &number), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_list_keys(db(), nullptr, 0, nullptr, 0, 0, nullptr, &count), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_document_store(db(), nullptr, "x", 1, nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_document_erase_multi(db(), "c", 1, nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_database_open(client_.get(), address(), nullptr, nullptr), GODWIT_ERR_INVALID);
  godwit_database_close(nullptr);
}

INSTANTIATE_TEST_SUITE_P(Backends, Databases, testing::Values("map", "rocksdb", "leveldb", "lmdb"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(ConfiguredDatabases, AreServedFromTheirPathsAndNotDestroyed) {
  const TemporaryDirectory root;
  Daemon daemon({.more = "\"databases\": [{\"name\": \"m\", \"backend\": \"map\"}, {\"name\": \"r\", \"backend\": \"rocksdb\", "
                         "\"path\": \"" +
                         root.path() + "/r\", \"options\": {\"write_buffer_size\": \"1MiB\"}}]"});
  const Client client = open_client();
  godwit_database* raw = nullptr;
  ASSERT_EQ(godwit_database_open(client.get(), daemon.address().c_str(), "r", &raw), GODWIT_OK) << godwit_last_error();
  const Database database(raw);
  EXPECT_EQ(put(raw, "key", "value"), GODWIT_OK);
  EXPECT_EQ(godwit_database_destroy(raw), GODWIT_ERR_UNSUPPORTED);
  EXPECT_EQ(get(raw, "key"), "value");
  godwit_database* made = nullptr;
  // No database_root is configured.
  EXPECT_EQ(godwit_database_create(client.get(), daemon.address().c_str(), "new", "lmdb", nullptr, &made),
            GODWIT_ERR_UNSUPPORTED);
  EXPECT_EQ(daemon.terminate(), 0);
  daemon.start();
  EXPECT_EQ(get(raw, "key"), "value");
}

}  // namespace
