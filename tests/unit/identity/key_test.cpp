#include "identity/key.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "support/daemon.hpp"

namespace godwit::identity {
namespace {

class KeyFile : public testing::Test {
 protected:
  std::string write(const std::string& bytes, mode_t mode) {
    const std::string path = directory_.path() + "/key";
    std::ofstream(path, std::ios::binary) << bytes;
    chmod(path.c_str(), mode);
    return path;
  }
  // The text tells the file, and `why`.
  static void expect_unfit(const std::string& path, const std::string& why) {
    const auto key = SiteKey::load(path);
    ASSERT_FALSE(key) << why;
    EXPECT_EQ(key.error().code, Errc::kConfig) << key.error().text;
    EXPECT_NE(key.error().text.find(path), std::string::npos) << key.error().text;
    EXPECT_NE(key.error().text.find(why), std::string::npos) << key.error().text;
  }

  const test::TemporaryDirectory directory_;
};

TEST_F(KeyFile, OfItsOwnerAloneIsTaken) {
  EXPECT_TRUE(SiteKey::load(write(std::string(32, 'k'), 0600)));
  EXPECT_TRUE(SiteKey::load(write(std::string(32, 'k'), 0400)));
  ASSERT_EQ(unlink((directory_.path() + "/key").c_str()), 0);
  EXPECT_TRUE(SiteKey::load(write(std::string(4096, 'k'), 0600)));
}

TEST_F(KeyFile, ThatOthersMayUseIsRefused) {
  for (const mode_t mode : {0640u, 0604u, 0660u, 0700u, 0606u, 0601u, 04600u})
    expect_unfit(write(std::string(32, 'k'), mode), "chmod 0600");
}

TEST_F(KeyFile, TooShortOrTooLongIsRefused) {
  expect_unfit(write("", 0600), "0 bytes");
  expect_unfit(write(std::string(31, 'k'), 0600), "31 bytes");
  expect_unfit(write(std::string(4097, 'k'), 0600), "4096 bytes and more");
}

TEST_F(KeyFile, ThatIsNoFileIsRefused) {
  expect_unfit(directory_.path(), "not a regular file");
  const std::string pipe = directory_.path() + "/pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  expect_unfit(pipe, "not a regular file");
  EXPECT_EQ(SiteKey::load(directory_.path() + "/missing").error().code, Errc::kNotFound);
}

TEST_F(KeyFile, OfAnotherUserIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root gives a file to somebody else";
  const std::string path = write(std::string(32, 'k'), 0600);
  ASSERT_EQ(chown(path.c_str(), 12345, 0), 0);
  expect_unfit(path, "belongs to user 12345");
}

// RFC 4231, test case 6, whose key is long enough for us.
TEST_F(KeyFile, SealsAsHmacSha256) {
  const auto key = SiteKey::load(write(std::string(131, '\xaa'), 0600));
  ASSERT_TRUE(key);
  const std::string text = "Test Using Larger Than Block-Size Key - Hash Key First";
  const Seal seal = key->seal(std::as_bytes(std::span(text)));
  std::string hex;
  for (const std::byte byte : seal) {
    char digits[3];
    snprintf(digits, sizeof(digits), "%02x", std::to_integer<unsigned>(byte));
    hex += digits;
  }
  EXPECT_EQ(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST_F(KeyFile, KnowsItsOwnSealsAndNoOthers) {
  const auto key = SiteKey::load(write(std::string(32, 'k'), 0600));
  ASSERT_TRUE(key);
  const std::string said = "it is me", other = "it is he";
  const Seal seal = key->seal(std::as_bytes(std::span(said)));
  std::string credential(reinterpret_cast<const char*>(seal.data()), seal.size());
  EXPECT_TRUE(key->is_seal_of(std::as_bytes(std::span(said)), credential));
  EXPECT_FALSE(key->is_seal_of(std::as_bytes(std::span(other)), credential));
  EXPECT_FALSE(key->is_seal_of(std::as_bytes(std::span(said)), credential.substr(0, 31)));
  EXPECT_FALSE(key->is_seal_of(std::as_bytes(std::span(said)), ""));
  credential[31] ^= 1;
  EXPECT_FALSE(key->is_seal_of(std::as_bytes(std::span(said)), credential));
}

}  // namespace
}  // namespace godwit::identity
