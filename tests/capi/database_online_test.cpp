// A database is used while it moves: who writes has at the destination exactly what was acknowledged.
#include <gtest/gtest.h>

#include <godwit/godwit.h>
#include <atomic>
#include <filesystem>
#include <map>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>

#include "capi/database_nodes.hpp"
#include "support/waiting.hpp"

namespace godwit::test {
namespace {

using namespace std::string_view_literals;

constexpr int kKeys = 299;  // Without a divisor of the others: each key is put, and is erased, sooner or later.

// Puts and erases, one after the other, in a thread of its own; remembers what was acknowledged.
class Writer {
 public:
  explicit Writer(const Daemon& node)
      : client_(open_client()), database_(open(client_.get(), node)), thread_([this](const std::stop_token& stop) {
          for (unsigned i = 0; !stop.stop_requested() && !has_failed_; ++i) write(i);
        }) {}

  // Whether as many more are acknowledged soon.
  bool goes_on(unsigned more) {
    const unsigned until = acknowledged_ + more;
    return comes_true([&] { return acknowledged_ >= until || has_failed_; }) && !has_failed_;
  }
  // Key to value, of what there must be.
  const std::map<std::string, std::string>& stop() {
    thread_.request_stop();
    thread_.join();
    EXPECT_FALSE(has_failed_);
    EXPECT_GT(erased_, 0u) << "nothing was there to be erased";
    return pairs_;
  }

 private:
  void write(unsigned i) {
    // Each key again and again, in another order than it was made in; a third of the writes erase.
    const std::string key = key_of(static_cast<int>(i * 7 % kKeys));
    const std::string value = "written " + std::to_string(i);
    const bool erases = i % 3 == 2;
    const int error =
        erases ? godwit_database_erase(database_.get(), key.data(), key.size()) : put(database_.get(), key, value);
    EXPECT_EQ(error, GODWIT_OK) << i << ": " << godwit_last_error();
    has_failed_ = error != GODWIT_OK;
    if (erases)
      erased_ += static_cast<unsigned>(pairs_.erase(key));
    else
      pairs_[key] = value;
    ++acknowledged_;
  }

  const Client client_;
  const Database database_;
  std::map<std::string, std::string> pairs_;
  unsigned erased_ = 0;  // That were there.
  std::atomic<unsigned> acknowledged_{0};
  std::atomic<bool> has_failed_{false};
  std::jthread thread_;  // Last: it uses the others.
};

class DatabaseOnline : public testing::TestWithParam<const char*> {};

TEST_P(DatabaseOnline, ExactlyTheAcknowledgedWritesAreAtTheDestination) {
  // Where the job is held: RocksDB and LevelDB in their first pass, after its checkpoint, as long as writers are not stopped;
  // the others before they stop them.
  const bool is_sent_live = GetParam() == "rocksdb"sv || GetParam() == "leveldb"sv;
  const std::string point = is_sent_live ? "source.block" : "source.planning";
  Node source(point + "=PAUSE@1"), destination;
  const std::filesystem::path paused = source.pauses() + "/" + point;
  const Client client = open_client(), staying = open_client(false);
  const Database database = create(client.get(), *source, GetParam());
  ASSERT_EQ(put(database.get(), "constant", "value"), GODWIT_OK) << godwit_last_error();
  Writer writer(*source);
  ASSERT_TRUE(writer.goes_on(2 * kKeys));

  godwit_migration* migration = nullptr;
  ASSERT_EQ(godwit_database_migrate_start(database.get(), destination->address().c_str(), nullptr, &migration), GODWIT_OK)
      << godwit_last_error();
  EXPECT_TRUE(comes_true([&] { return std::filesystem::exists(paused); })) << source->log();
  EXPECT_TRUE(writer.goes_on(2 * kKeys));
  EXPECT_EQ(get(open(staying.get(), *source).get(), "constant"), "value");
  std::filesystem::remove(paused);
  EXPECT_EQ(godwit_migration_wait(migration, 60'000U * static_cast<unsigned>(patience_times())), GODWIT_OK)
      << godwit_last_error();
  godwit_migration_close(migration);
  EXPECT_TRUE(writer.goes_on(kKeys / 3));  // At the destination, each key once more at most.

  auto expected = writer.stop();
  expected["constant"] = "value";
  EXPECT_EQ(open(staying.get(), *source), nullptr);
  const Database there = open(staying.get(), *destination);
  ASSERT_NE(there, nullptr) << godwit_last_error();
  EXPECT_EQ(count(there.get()), expected.size());
  for (int i = 0; i < kKeys; ++i) {
    const auto found = expected.find(key_of(i));
    EXPECT_EQ(get(there.get(), key_of(i)), found == expected.end() ? "-" : found->second) << i;
  }
  EXPECT_EQ(get(there.get(), "constant"), "value");
}

INSTANTIATE_TEST_SUITE_P(EachBackend, DatabaseOnline, testing::Values("map", "rocksdb", "leveldb", "lmdb"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace godwit::test
