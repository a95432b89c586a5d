#include "model/compression.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <string>

namespace godwit::model {
namespace {

using Bytes = std::vector<std::byte>;

constexpr Compression kBoth[] = {Compression::kLz4, Compression::kZstd};
constexpr size_t kLong = 64_KiB + 3;

Bytes zeros(size_t count) { return Bytes(count); }

Bytes random_bytes(size_t count) {
  std::mt19937 random(7);
  Bytes bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

Bytes text(size_t count) {
  static constexpr const char* kWords[] = {"a", "is", "the", "grid", "after", "solver", "residual", "iteration", "converged"};
  std::mt19937 random(5);
  std::string words;
  while (words.size() < count) words.append(kWords[random() % std::size(kWords)]).append(random() % 9 ? " " : ".\n");
  Bytes bytes(count);
  if (count > 0) std::memcpy(bytes.data(), words.data(), count);
  return bytes;
}

// A wave: neighbours are alike, no two are equal.
template <class Number>
Bytes wave(size_t count) {
  std::vector<Number> numbers(count / sizeof(Number) + 1);
  for (size_t i = 0; i < numbers.size(); ++i)
    numbers[i] = static_cast<Number>(300 + 10 * std::sin(static_cast<double>(i) * 1e-4));
  Bytes bytes(count);
  if (count > 0) std::memcpy(bytes.data(), numbers.data(), count);
  return bytes;
}

struct Outcome {
  std::optional<Stored> stored;
  Bytes bytes;  // As they would travel.
};

Outcome compressed(Compressor& compressor, const Bytes& block) {
  Bytes room(block.size());
  const auto stored = compressor.compress(block, room);
  room.resize(stored ? stored->bytes : 0);
  return {stored, room};
}

Outcome compressed(Compression compression, const Bytes& block) {
  Compressor compressor(compression);
  return compressed(compressor, block);
}

// Into memory of exactly its length: a sanitizer sees what is written beyond it.
Result<Bytes> decompressed(const Stored& stored, const Bytes& from, size_t block_bytes) {
  Decompressor decompressor;
  Bytes block(block_bytes);
  if (auto done = decompressor.decompress(stored, from, block); !done) return std::move(done).error();
  return block;
}

void expect_refused(const Stored& stored, const Bytes& from, size_t block_bytes) {
  const auto block = decompressed(stored, from, block_bytes);
  ASSERT_FALSE(block);
  EXPECT_EQ(block.error().code, Errc::kCorrupt) << block.error().text;
}

TEST(Compression, WhateverWasCompressedComesBack) {
  Bytes (*const kinds[])(size_t) = {zeros, random_bytes, text, wave<float>, wave<double>};
  for (const Compression compression : kBoth)
    for (const auto kind : kinds)
      for (const size_t bytes :
           {size_t{0}, size_t{1}, size_t{7}, size_t{255}, size_t{256}, size_t{4095}, kLong, size_t{1_MiB}}) {
        const Bytes block = kind(bytes);
        const Outcome outcome = compressed(compression, block);
        if (!outcome.stored) continue;
        EXPECT_EQ(outcome.stored->compression, compression);
        EXPECT_LE(outcome.stored->bytes, bytes - bytes / 10);
        ASSERT_TRUE(check(*outcome.stored, bytes));
        const auto back = decompressed(*outcome.stored, outcome.bytes, bytes);
        ASSERT_TRUE(back) << back.error().text;
        EXPECT_EQ(*back, block);
      }
}

TEST(Compression, ZerosTextAndNumbersGainAndRandomBytesDoNot) {
  for (const Compression compression : kBoth)
    for (const size_t bytes : {size_t{4095}, kLong}) {
      EXPECT_TRUE(compressed(compression, zeros(bytes)).stored);
      EXPECT_TRUE(compressed(compression, text(bytes)).stored);
      EXPECT_TRUE(compressed(compression, wave<float>(bytes)).stored);
      EXPECT_TRUE(compressed(compression, wave<double>(bytes)).stored);
      EXPECT_FALSE(compressed(compression, random_bytes(bytes)).stored);
    }
}

TEST(Compression, NumbersAreShuffledByTheirSizeAndTextIsNot) {
  for (const Compression compression : kBoth) {
    EXPECT_EQ(compressed(compression, wave<double>(kLong)).stored->element_bytes, 8);
    EXPECT_EQ(compressed(compression, wave<float>(kLong)).stored->element_bytes, 4);
    EXPECT_EQ(compressed(compression, text(kLong)).stored->element_bytes, 1);
  }
}

// The samples are of its beginning, middle and end.
TEST(Compression, ABlockThatKeepsNotWhatItsSamplesPromisedIsLeftAlone) {
  Bytes block = random_bytes(1_MiB);
  for (const size_t at : {size_t{0}, size_t{512_KiB - 8_KiB}, size_t{1_MiB - 16_KiB}})
    std::fill_n(block.begin() + static_cast<ptrdiff_t>(at), 16_KiB, std::byte{0});
  for (const Compression compression : kBoth) {
    Compressor compressor(compression);
    EXPECT_FALSE(compressed(compressor, block).stored);
    EXPECT_TRUE(compressed(compressor, text(kLong)).stored);  // Nor does it spoil the next one.
  }
}

TEST(Compression, WhatFollowsRandomBytesIsFoundSoon) {
  for (const Compression compression : kBoth) {
    Compressor compressor(compression);
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(compressed(compressor, random_bytes(kLong)).stored);
    int left_alone = 0;
    while (left_alone < 100 && !compressed(compressor, wave<double>(kLong)).stored) ++left_alone;
    EXPECT_LE(left_alone, 7);
    EXPECT_EQ(compressed(compressor, wave<double>(kLong)).stored->element_bytes, 8);
  }
}

TEST(Compression, OtherElementsAreFoundSoon) {
  for (const Compression compression : kBoth) {
    Compressor compressor(compression);
    EXPECT_EQ(compressed(compressor, text(kLong)).stored->element_bytes, 1);
    int blocks = 0;
    for (; blocks < 100; ++blocks)
      if (const auto outcome = compressed(compressor, wave<double>(kLong));
          outcome.stored && outcome.stored->element_bytes == 8)
        break;
    EXPECT_LE(blocks, 4);
  }
}

TEST(Compression, WhatCannotBeIsRefused) {
  const Compression kUnknown = static_cast<Compression>(9);
  EXPECT_TRUE(check({}, 4096));
  EXPECT_TRUE(check({Compression::kLz4, 1, 0}, 4096));
  EXPECT_TRUE(check({Compression::kZstd, 4095, 8}, 4096));
  for (const Stored& bad :
       {Stored{Compression::kNone, 1, 0}, Stored{Compression::kNone, 0, 8}, Stored{kUnknown, 100, 1},
        Stored{Compression::kLz4, 0, 1}, Stored{Compression::kLz4, 4096, 1}, Stored{Compression::kZstd, UINT32_MAX, 1},
        Stored{Compression::kZstd, 100, 3}, Stored{Compression::kZstd, 100, 16}, Stored{Compression::kZstd, 100, 255}}) {
    const auto refused = check(bad, 4096);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::kProtocol);
  }
  EXPECT_FALSE(check({Compression::kLz4, 1, 0}, 1));
  EXPECT_FALSE(check({Compression::kLz4, 1, 0}, 0));
}

TEST(Compression, ABlockOfAnotherLengthIsRefused) {
  for (const Compression compression : kBoth)
    for (const Bytes& block : {text(kLong), wave<double>(kLong)}) {
      const Outcome outcome = compressed(compression, block);
      ASSERT_TRUE(outcome.stored);
      for (const size_t other : {size_t{0}, size_t{1}, kLong - 1, kLong + 1, 2 * kLong})
        expect_refused(*outcome.stored, outcome.bytes, other);
    }
}

TEST(Compression, BytesThatEndEarlyAreRefused) {
  for (const Compression compression : kBoth) {
    const Outcome outcome = compressed(compression, text(4095));
    for (size_t bytes = 1; bytes < outcome.bytes.size(); ++bytes)
      expect_refused(*outcome.stored, Bytes(outcome.bytes.begin(), outcome.bytes.begin() + static_cast<ptrdiff_t>(bytes)),
                     4095);
  }
}

TEST(Compression, BytesOfTheOtherKindAndRandomOnesAreRefused) {
  for (const Compression compression : kBoth) {
    const Compression other = compression == Compression::kLz4 ? Compression::kZstd : Compression::kLz4;
    const Outcome outcome = compressed(compression, text(kLong));
    expect_refused({other, outcome.stored->bytes, 1}, outcome.bytes, kLong);
    for (const uint8_t element : std::initializer_list<uint8_t>{1, 2, 4, 8})
      expect_refused({compression, 100, element}, random_bytes(100), kLong);
  }
}

// Its digest is what tells that it is another one; here it must not reach beyond its memory.
TEST(Compression, ChangedBytesMakeAnotherBlockOrNone) {
  std::mt19937 random(3);
  for (const Compression compression : kBoth) {
    const Bytes block = wave<double>(4095);
    const Outcome outcome = compressed(compression, block);
    int refused = 0;
    for (int i = 0; i < 2000; ++i) {
      Bytes changed = outcome.bytes;
      changed[random() % changed.size()] ^= static_cast<std::byte>(1 + random() % 255);
      const auto back = decompressed(*outcome.stored, changed, block.size());
      if (back) continue;
      EXPECT_EQ(back.error().code, Errc::kCorrupt);
      ++refused;
    }
    EXPECT_GT(refused, 0);
  }
}

}  // namespace
}  // namespace godwit::model
