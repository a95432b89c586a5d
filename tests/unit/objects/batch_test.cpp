#include "protocol/batch.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

namespace godwit::protocol {
namespace {

using namespace std::string_view_literals;

std::string head(uint32_t key_bytes, uint64_t value_bytes) {
  std::string text(kRecordHeadBytes, '\0');
  std::memcpy(text.data(), &key_bytes, sizeof key_bytes);
  std::memcpy(text.data() + sizeof key_bytes, &value_bytes, sizeof value_bytes);
  return text;
}

Errc refusal_of(const std::string& batch, Keys keys = Keys::kNeeded) {
  const auto decoded = decode_batch(batch, keys);
  return decoded ? Errc{} : decoded.error().code;
}

TEST(Batch, IsWrittenByteForByteAsDocumented) {
  std::string batch;
  append_record(batch, "ab", "xyz");
  EXPECT_EQ(batch, "\2\0\0\0\3\0\0\0\0\0\0\0abxyz"sv);
  EXPECT_EQ(batch.size(), record_bytes("ab", "xyz"));
}

TEST(Batch, RecordsComeBackInOrder) {
  std::string batch;
  append_record(batch, "a\0b"sv, "");
  append_record(batch, "k", std::string(100'000, 'v'));
  append_absent(batch, "gone");
  const auto records = decode_batch(batch, Keys::kNeeded);
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 3u);
  EXPECT_EQ((*records)[0].key, "a\0b"sv);
  EXPECT_EQ((*records)[0].value, "");
  EXPECT_FALSE((*records)[0].is_absent);
  EXPECT_EQ((*records)[1].value.size(), 100'000u);
  EXPECT_TRUE((*records)[2].is_absent);
  EXPECT_TRUE(decode_batch("", Keys::kNeeded)->empty());
}

TEST(Batch, EveryTruncationIsRefused) {
  std::string batch;
  append_record(batch, "key", "value");
  append_record(batch, "another", "one");
  for (size_t length = 1; length < batch.size(); ++length) {
    if (length == record_bytes("key", "value")) continue;
    EXPECT_EQ(refusal_of(batch.substr(0, length)), Errc::kProtocol) << length;
  }
}

TEST(Batch, LengthsThatWrapOrReachPastTheEndAreRefused) {
  EXPECT_EQ(refusal_of(head(1, UINT64_MAX - 1) + "k"), Errc::kLimit);
  EXPECT_EQ(refusal_of(head(1, UINT64_MAX - 12) + "k"), Errc::kLimit);
  EXPECT_EQ(refusal_of(head(UINT32_MAX, 0) + "k"), Errc::kLimit);
  EXPECT_EQ(refusal_of(head(1, kValueBytesMax + 1) + "k"), Errc::kLimit);
  EXPECT_EQ(refusal_of(head(kKeyBytesMax + 1, 0) + std::string(kKeyBytesMax + 1, 'k')), Errc::kLimit);
  EXPECT_EQ(refusal_of(head(1, kValueBytesMax) + "k"), Errc::kProtocol);
  EXPECT_EQ(refusal_of(head(2, 0) + "k"), Errc::kProtocol);
  EXPECT_EQ(refusal_of(head(1, 1) + "k"), Errc::kProtocol);
}

TEST(Batch, AnEmptyKeyIsRefusedWhereOneIsNeeded) {
  std::string batch;
  append_record(batch, "", "document");
  EXPECT_EQ(refusal_of(batch), Errc::kProtocol);
  EXPECT_EQ(refusal_of(batch, Keys::kMayBeEmpty), Errc{});
}

TEST(Batch, TooManyRecordsAreRefused) {
  std::string batch;
  for (uint64_t i = 0; i < kBatchRecordsMax; ++i) append_record(batch, "k", "");
  EXPECT_EQ(refusal_of(batch), Errc{});
  append_record(batch, "k", "");
  EXPECT_EQ(refusal_of(batch), Errc::kLimit);
}

TEST(Batch, NumbersAreWhole) {
  std::string batch;
  append_number(batch, 7);
  append_number(batch, UINT64_MAX);
  EXPECT_EQ(*decode_numbers(batch), (std::vector<uint64_t>{7, UINT64_MAX}));
  batch.pop_back();
  EXPECT_EQ(decode_numbers(batch).error().code, Errc::kProtocol);
}

TEST(Batch, NoiseIsDecodedWithinItsBytesOrRefused) {
  std::mt19937 random(3);
  int good = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string noise(random() % 60, '\0');
    for (char& byte : noise) byte = random() % 3 == 0 ? static_cast<char>(random()) : '\0';
    const auto records = decode_batch(noise, Keys::kMayBeEmpty);
    if (!records) continue;
    ++good;
    for (const Record& record : *records) {
      EXPECT_GE(record.key.data(), noise.data());
      EXPECT_LE(record.value.data() + record.value.size(), noise.data() + noise.size());
    }
  }
  EXPECT_GT(good, 10);
}

}  // namespace
}  // namespace godwit::protocol
