#include "pmem/pool_header.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "base/digest.hpp"

namespace godwit::pmem {
namespace {

const PoolHeader kExample{Kind::kPmem, Id{0x0123456789abcdef, 0xfedcba9876543210}, 0x40000000};

// docs/design/pool.md, byte for byte: a change here is a new format version.
TEST(PoolHeaderGolden, EveryByteIsAsDocumented) {
  const unsigned char start[] = {
      'G',  'O',  'D',  'W',  'P',  'O',  'O',  'L',                                                   // magic
      0x01, 0x00, 0x00, 0x00,                                                                          // version
      0x01, 0x00, 0x00, 0x00,                                                                          // kind: pmem
      0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, 0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe,  // pool id
      0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00,                                                  // capacity
      0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,                                                  // data offset
  };
  const unsigned char digest[] = {0xd3, 0xf0, 0x5e, 0xd0, 0xed, 0x15, 0xe3, 0x66,
                                  0x4e, 0xc7, 0xe1, 0x68, 0x5c, 0x95, 0x2d, 0x20};
  HeaderBytes golden{};
  std::memcpy(golden.data(), start, sizeof start);
  std::memcpy(golden.data() + 4080, digest, sizeof digest);
  const HeaderBytes encoded = encode(kExample);
  for (size_t at = 0; at < kHeaderBytes; ++at)
    ASSERT_EQ(std::to_integer<int>(encoded[at]), std::to_integer<int>(golden[at])) << "byte " << at;
  const auto decoded = decode(golden);
  ASSERT_TRUE(decoded) << decoded.error().text;
  EXPECT_EQ(*decoded, kExample);
}

TEST(PoolHeader, FileKindIsTwo) {
  PoolHeader header = kExample;
  header.kind = Kind::kFile;
  const HeaderBytes bytes = encode(header);
  EXPECT_EQ(std::to_integer<int>(bytes[12]), 2);
  EXPECT_EQ(*decode(bytes), header);
}

TEST(PoolHeader, AFlippedBitAnywhereIsCorrupt) {
  const HeaderBytes good = encode(kExample);
  for (size_t bit = 0; bit < kHeaderBytes * 8; ++bit) {
    HeaderBytes bad = good;
    bad[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const auto decoded = decode(bad);
    ASSERT_FALSE(decoded) << "bit " << bit;
    ASSERT_EQ(decoded.error().code, Errc::kCorrupt);
  }
}

// A header that another writer signed properly.
HeaderBytes signed_with(size_t at, uint64_t value, size_t width) {
  HeaderBytes bytes = encode(kExample);
  std::memcpy(bytes.data() + at, &value, width);
  const Digest digest = digest_of(std::span(bytes).first(4080));
  std::memcpy(bytes.data() + 4080, &digest.low, 8);
  std::memcpy(bytes.data() + 4088, &digest.high, 8);
  return bytes;
}

TEST(PoolHeader, AnotherVersionIsNamed) {
  const auto decoded = decode(signed_with(8, 2, 4));
  ASSERT_FALSE(decoded);
  EXPECT_NE(decoded.error().text.find("version 2"), std::string::npos) << decoded.error().text;
}

TEST(PoolHeader, ImpossibleFieldsAreCorruptThoughSigned) {
  EXPECT_FALSE(decode(signed_with(12, 3, 4))) << "kind";
  EXPECT_FALSE(decode(signed_with(12, 0, 4))) << "kind";
  EXPECT_FALSE(decode(signed_with(40, 8192, 8))) << "data offset";
  EXPECT_FALSE(decode(signed_with(32, 0, 8))) << "capacity";
  EXPECT_FALSE(decode(signed_with(32, 4097, 8))) << "capacity";
  EXPECT_FALSE(decode(signed_with(32, UINT64_MAX - 4095, 8))) << "capacity";
}

TEST(PoolHeader, OtherKindOrCapacityThanConfiguredIsCorrupt) {
  EXPECT_TRUE(check_expected(kExample, Kind::kPmem, kExample.capacity_bytes));
  EXPECT_TRUE(check_expected(kExample, Kind::kPmem, 0)) << "any";
  EXPECT_FALSE(check_expected(kExample, Kind::kFile, kExample.capacity_bytes));
  EXPECT_FALSE(check_expected(kExample, Kind::kPmem, 4096));
}

}  // namespace
}  // namespace godwit::pmem
