// How a file lies in regions, and that files of the first version stay readable.
#include "hdf5/layout.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hdf5/region_file.hpp"
#include "support/daemon.hpp"

namespace {

using namespace godwit::hdf5;
using godwit::Error;
using godwit::test::Daemon;

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

TEST(Hdf5Extents, CoverTheFileWithoutGapOrOverlap) {
  uint64_t end = 0;
  for (size_t i = 0; i < kExtentsMax; ++i) {
    const ExtentRange range = extent_at(i);
    ASSERT_EQ(range.begin_bytes, end) << i;
    ASSERT_EQ(extent_holding(range.begin_bytes).index, i);
    ASSERT_EQ(extent_holding(range.end_bytes() - 1).index, i);
    end = range.end_bytes();
  }
  EXPECT_EQ(end, kFileBytesMax);
  EXPECT_EQ(extent_at(0).size_bytes, kMebibyte);
  EXPECT_EQ(extent_at(32).size_bytes, 2 * kMebibyte);
}

Head some_head(uint64_t generation) {
  Head head;
  head.generation = generation;
  head.file_bytes = 5 * kMebibyte + generation;
  head.id = {0x0102030405060708, 0x1112131415161718};
  head.extents[0] = {0x21, 0x22};
  head.extents[kExtentsMax - 1] = {0x31, 0x32};
  return head;
}

std::array<std::byte, kHeadBytes> both(const Head& one, const Head& other) {
  std::array<std::byte, kHeadBytes> bytes{};
  for (const Head* head : {&one, &other})
    std::ranges::copy(encode(*head), bytes.begin() + static_cast<ptrdiff_t>(slot_offset(head->generation)));
  return bytes;
}

int code_of_decoding(const std::array<std::byte, kHeadBytes>& bytes) {
  try {
    decode(bytes);
    return GODWIT_OK;
  } catch (const Error& error) {
    return error.code();
  }
}

TEST(Hdf5Head, TheNewerSlotCounts) {
  EXPECT_EQ(decode(both(some_head(7), some_head(8))).generation, 8u);
  EXPECT_EQ(decode(both(some_head(8), some_head(9))).generation, 9u);
  const Head head = decode(both(some_head(8), some_head(9)));
  EXPECT_EQ(head.file_bytes, 5 * kMebibyte + 9);
  EXPECT_EQ(head.extents[kExtentsMax - 1].low, 0x32u);
}

TEST(Hdf5Head, AnyDamageToTheNewerSlotLeavesTheOlder) {
  const auto good = both(some_head(8), some_head(9));
  for (size_t at = slot_offset(9); at < slot_offset(9) + kSlotBytes; at += at < slot_offset(9) + 64 ? 1 : 61) {
    auto bytes = good;
    bytes[at] ^= std::byte{0x40};
    if (at >= slot_offset(9) + 8 && at < slot_offset(9) + 12) continue;  // The version: the next test.
    ASSERT_EQ(decode(bytes).generation, 8u) << at;
  }
}

TEST(Hdf5Head, LaterVersionsAndForeignBytesAreRefused) {
  auto later = both(some_head(8), some_head(9));
  later[slot_offset(9) + 8] = std::byte{2};
  EXPECT_EQ(code_of_decoding(later), GODWIT_ERR_VERSION);
  EXPECT_EQ(code_of_decoding({}), GODWIT_ERR_CORRUPT);
  auto damaged = both(some_head(8), some_head(9));
  damaged[100] ^= std::byte{1};
  damaged[slot_offset(9) + 100] ^= std::byte{1};
  EXPECT_EQ(code_of_decoding(damaged), GODWIT_ERR_CORRUPT);
}

// docs/design/hdf5.md.
TEST(Hdf5Head, GoldenBytes) {
  const auto slot = encode(some_head(9));
  const auto hex = [&](size_t from, size_t length) {
    std::string text;
    for (size_t i = from; i < from + length; ++i) {
      text += "0123456789abcdef"[std::to_integer<unsigned>(slot[i]) >> 4];
      text += "0123456789abcdef"[std::to_integer<unsigned>(slot[i]) & 15];
    }
    return text;
  };
  EXPECT_EQ(hex(0, 16),
            "474f445748444635"
            "01000000"
            "00000000");
  EXPECT_EQ(hex(16, 16),
            "0900000000000000"
            "0900500000000000");
  EXPECT_EQ(hex(32, 16),
            "0807060504030201"
            "1817161514131211");
  EXPECT_EQ(hex(48, 8), "0aef3bc14cd7aed7");
  EXPECT_EQ(hex(512, 16),
            "2100000000000000"
            "2200000000000000");
  EXPECT_EQ(hex(8176, 16),
            "3100000000000000"
            "3200000000000000");
}

// RegionFile, without HDF5 above it.
class Hdf5RegionFile : public testing::Test {
 protected:
  static void SetUpTestSuite() { daemon_ = std::make_unique<Daemon>(); }
  static void TearDownTestSuite() { daemon_.reset(); }
  static Config config() { return {daemon_->address(), "keep", GODWIT_CLIENT_OPTIONS_INIT}; }
  static std::vector<unsigned char> read(RegionFile& file, uint64_t at, size_t length) {
    std::vector<unsigned char> bytes(length, 0xee);
    file.read(at, bytes.data(), length);
    return bytes;
  }
  static inline std::unique_ptr<Daemon> daemon_;
};

using Bytes = std::vector<unsigned char>;

TEST_F(Hdf5RegionFile, WhatWasCutOffReadsAsZerosWhenTheFileGrowsAgain) {
  const Bytes ones(3 * kMebibyte, 1);
  RegionFile file = RegionFile::create(config(), "cut", RegionFile::WhenThere::kFail);
  file.write(0, ones.data(), ones.size());
  file.truncate(kMebibyte + 100);  // In the middle of an extent; the third one goes.
  EXPECT_EQ(read(file, kMebibyte + 90, 20), (Bytes{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
  file.truncate(3 * kMebibyte);
  EXPECT_EQ(read(file, kMebibyte + 99, 3), (Bytes{1, 0, 0}));
  EXPECT_EQ(read(file, 2 * kMebibyte + 5, 2), (Bytes{0, 0}));
  file.truncate(10);
  file.flush();
  RegionFile again = RegionFile::open(config(), "cut");  // Does not know what was there.
  EXPECT_EQ(again.size_bytes(), 10u);
  again.write(20, ones.data(), 1);
  EXPECT_EQ(read(again, 9, 14), (Bytes{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}));
  RegionFile::erase(config(), "cut");
}

TEST_F(Hdf5RegionFile, WhatWasWrittenIsThereWhenTheProgramDiesBeforeItFlushes) {
  const Bytes ones(3 * kMebibyte, 1);
  RegionFile file = RegionFile::create(config(), "dies", RegionFile::WhenThere::kFail);
  file.write(0, ones.data(), 100);
  file.announce(kMebibyte + 1000);
  file.write(50, ones.data(), 100);
  RegionFile announced = RegionFile::open(config(), "dies");
  EXPECT_GE(announced.size_bytes(), kMebibyte + 1000);
  EXPECT_EQ(read(announced, 149, 2), (Bytes{1, 0}));
  file.write(kMebibyte, ones.data(), 2 * kMebibyte);
  RegionFile grown = RegionFile::open(config(), "dies");
  EXPECT_EQ(read(grown, 3 * kMebibyte - 1, 2), (Bytes{1, 0}));
  file.flush();
  EXPECT_EQ(RegionFile::open(config(), "dies").size_bytes(), 3 * kMebibyte);
  RegionFile::erase(config(), "dies");
}

TEST_F(Hdf5RegionFile, AnExtentWhoseMakerDiedIsReplacedOrErasedWithTheFile) {
  const Bytes ones(kMebibyte, 1);
  const godwit::Client client;
  const godwit::Target target = client.target(daemon_->address(), "keep");
  RegionFile file = RegionFile::create(config(), "orphans", RegionFile::WhenThere::kFail);
  for (size_t i = 0; i < 2; ++i) target.create(ones.data(), ones.size(), extent_name(file.id(), i));
  file.write(50, ones.data(), 1);
  EXPECT_EQ(read(file, 49, 2), (Bytes{0, 1}));
  EXPECT_EQ(client.regions(daemon_->address()).size(), 3u);
  RegionFile::erase(config(), "orphans");
  EXPECT_EQ(client.regions(daemon_->address()).size(), 0u);
}

TEST_F(Hdf5RegionFile, WhatIsCutOffStaysUntilTheHeadIsFlushed) {
  const Bytes ones(2 * kMebibyte, 1);
  RegionFile file = RegionFile::create(config(), "crash", RegionFile::WhenThere::kFail);
  file.write(0, ones.data(), ones.size());
  file.flush();
  file.truncate(10);
  RegionFile as_flushed = RegionFile::open(config(), "crash");  // What a crash now would leave.
  EXPECT_EQ(as_flushed.size_bytes(), 2 * kMebibyte);
  EXPECT_EQ(read(as_flushed, 2 * kMebibyte - 1, 1), Bytes{1});
  file.flush();
  EXPECT_EQ(godwit::Client().regions(daemon_->address()).size(), 2u);
  RegionFile::erase(config(), "crash");
}

TEST_F(Hdf5RegionFile, CannotGrowBeyondItsTable) {
  RegionFile file = RegionFile::create(config(), "long", RegionFile::WhenThere::kFail);
  try {
    file.write(kFileBytesMax, "x", 1);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), GODWIT_ERR_LIMIT);
  }
  file.truncate(kFileBytesMax);  // Takes no space.
  EXPECT_EQ(read(file, kFileBytesMax - 1, 1), Bytes{0});
  file.flush();
  EXPECT_EQ(RegionFile::open(config(), "long").size_bytes(), kFileBytesMax);
  RegionFile::erase(config(), "long");
}

}  // namespace
