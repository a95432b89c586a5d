#include "identity/statement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace godwit::identity {
namespace {

using Bytes = std::vector<std::byte>;

Nonce counted(uint8_t from) {
  Nonce nonce{};
  for (std::byte& byte : nonce) byte = std::byte{from++};
  return nonce;
}

TEST(Statement, ChallengeIsTheseBytes) {
  const Bytes bytes = encode(Challenge{Method::kKey, Id{0x0102030405060708, 0x1112131415161718}, counted(0x80)});
  ASSERT_EQ(bytes.size(), 56u);
  const uint8_t head[] = {'G', 'D', 'W', 'I', 1,    2,    0,    0,    8,    7,    6,    5,
                          4,   3,   2,   1,   0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
  EXPECT_TRUE(
      std::ranges::equal(head, std::span(bytes).first(24), {}, {}, [](std::byte b) { return std::to_integer<uint8_t>(b); }));
  EXPECT_EQ(bytes[24], std::byte{0x80});
  EXPECT_EQ(bytes[55], std::byte{0x9f});
}

TEST(Statement, MessagesAreReadAsTheyWereWritten) {
  const auto challenge = decode_challenge(encode(Challenge{Method::kMunge, Id{1, 2}, counted(3)}));
  ASSERT_TRUE(challenge);
  EXPECT_EQ(challenge->method, Method::kMunge);
  EXPECT_EQ(challenge->node, (Id{1, 2}));
  EXPECT_EQ(challenge->nonce, counted(3));
  const auto answer = decode_answer(encode(Answer{1000, 100, counted(7), "MUNGE:x:"}));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->uid, 1000u);
  EXPECT_EQ(answer->gid, 100u);
  EXPECT_EQ(answer->nonce, counted(7));
  EXPECT_EQ(answer->credential, "MUNGE:x:");
  const auto verdict = decode_verdict(encode(Verdict{true, 4, 5, "proof"}));
  ASSERT_TRUE(verdict);
  EXPECT_TRUE(verdict->accepted);
  EXPECT_EQ(verdict->uid, 4u);
  EXPECT_EQ(verdict->gid, 5u);
  EXPECT_EQ(verdict->credential, "proof");
}

TEST(Statement, ARefusalSaysNothingElse) {
  const Bytes bytes = encode(Verdict{});
  EXPECT_EQ(bytes.size(), 16u);
  EXPECT_TRUE(std::all_of(bytes.begin() + 5, bytes.end(), [](std::byte byte) { return byte == std::byte{0}; }));
  const auto verdict = decode_verdict(bytes);
  ASSERT_TRUE(verdict);
  EXPECT_FALSE(verdict->accepted);
}

TEST(Statement, MessagesOfAnotherLengthOrKindAreRefused) {
  for (const Bytes& whole : {encode(Challenge{Method::kKey, Id{1, 2}, counted(3)}), encode(Answer{1, 2, counted(3), "secret"}),
                             encode(Verdict{true, 1, 2, "secret"})}) {
    for (size_t length = 0; length < whole.size(); ++length) {
      const std::span cut(whole.data(), length);
      EXPECT_FALSE(decode_challenge(cut));
      EXPECT_FALSE(decode_answer(cut));
      EXPECT_FALSE(decode_verdict(cut));
    }
    Bytes longer = whole;
    longer.push_back(std::byte{0});
    EXPECT_FALSE(decode_challenge(longer));
    EXPECT_FALSE(decode_answer(longer));
    EXPECT_FALSE(decode_verdict(longer));
    EXPECT_EQ(static_cast<bool>(decode_challenge(whole)) + static_cast<bool>(decode_answer(whole)) +
                  static_cast<bool>(decode_verdict(whole)),
              1);
  }
  EXPECT_FALSE(decode_challenge(encode(Challenge{Method::kNone, Id{1, 2}, counted(3)})));
  EXPECT_FALSE(decode_answer(encode(Answer{1, 2, counted(3), ""})));
  EXPECT_FALSE(decode_answer(encode(Answer{1, 2, counted(3), std::string(kCredentialBytesMax + 1, 'x')})));
  EXPECT_FALSE(decode_verdict(encode(Verdict{true, 1, 2, ""})));
}

TEST(Statement, DiffersInWhateverIsBound) {
  const Challenge challenge{Method::kKey, Id{1, 2}, counted(3)};
  const fabric::Hello hello{fabric::Purpose::kJob, Id{5, 6}};
  std::set<Bytes> all;
  all.insert(statement(Side::kClient, challenge, counted(4), hello, 10, 20));
  all.insert(statement(Side::kServer, challenge, counted(4), hello, 10, 20));
  all.insert(statement(Side::kClient, {Method::kMunge, Id{1, 2}, counted(3)}, counted(4), hello, 10, 20));
  all.insert(statement(Side::kClient, {Method::kKey, Id{1, 3}, counted(3)}, counted(4), hello, 10, 20));
  all.insert(statement(Side::kClient, {Method::kKey, Id{1, 2}, counted(9)}, counted(4), hello, 10, 20));
  all.insert(statement(Side::kClient, challenge, counted(5), hello, 10, 20));
  all.insert(statement(Side::kClient, challenge, counted(4), {fabric::Purpose::kStream, Id{5, 6}}, 10, 20));
  all.insert(statement(Side::kClient, challenge, counted(4), {fabric::Purpose::kJob, Id{5, 7}}, 10, 20));
  all.insert(statement(Side::kClient, challenge, counted(4), hello, 11, 20));
  all.insert(statement(Side::kClient, challenge, counted(4), hello, 10, 21));
  EXPECT_EQ(all.size(), 10u);
}

TEST(Statement, NoncesDiffer) { EXPECT_NE(random_nonce(), random_nonce()); }

}  // namespace
}  // namespace godwit::identity
