// The proof by a key file. That by MUNGE: munge_test.cpp; over a wire: tests/hostile, tests/node/identity_test.py.
#include "identity/site_guard.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "dialogue.hpp"
#include "support/daemon.hpp"

namespace godwit::identity {
namespace {

using fabric::Hello;
using fabric::Purpose;

class ByKey : public testing::Test {
 protected:
  SiteKey key(char byte) {
    const std::string path = directory_.path() + "/" + byte;
    std::ofstream(path) << std::string(32, byte);
    chmod(path.c_str(), 0600);
    auto loaded = SiteKey::load(path);
    EXPECT_TRUE(loaded) << loaded.error().text;
    return *loaded;
  }
  SiteGuard daemon(char byte) {
    return SiteGuard({.method = Method::kKey, .is_daemon = true, .key = key(byte), .node = {7, 8}});
  }
  SiteGuard client(char byte) { return SiteGuard({.method = Method::kKey, .key = key(byte)}); }

  const test::TemporaryDirectory directory_;
  const Hello hello_{Purpose::kControl, {}};
};

TEST_F(ByKey, BothSidesBelieveEachOther) {
  const Outcomes all = converse(daemon('a'), client('a'), hello_, hello_);
  ASSERT_TRUE(all.agree());
  EXPECT_FALSE((*all.server)->is_unasked);
  EXPECT_TRUE((*all.server)->is_trusted);
  EXPECT_EQ((*all.server)->uid, geteuid());
  EXPECT_EQ((*all.server)->gid, getegid());
  EXPECT_TRUE((*all.client)->is_trusted);
}

TEST_F(ByKey, AnotherKeyIsRefusedAndHearsNoReason) {
  const Outcomes all = converse(daemon('a'), client('b'), hello_, hello_);
  ASSERT_TRUE(all.server && all.client);
  EXPECT_EQ(all.server->error().code, Errc::kDenied);
  EXPECT_EQ(all.verdict, encode(Verdict{}));
  EXPECT_EQ(all.client->error().code, Errc::kDenied);
  EXPECT_NE(all.client->error().text.find("identity refused"), std::string::npos) << all.client->error().text;
}

TEST_F(ByKey, ADaemonInsistsOnItsMethod) {
  EXPECT_TRUE(daemon('a').demands());
  EXPECT_TRUE(daemon('a').insists());
  EXPECT_FALSE(client('a').demands());
  EXPECT_TRUE(client('a').insists());
  const SiteGuard open({.is_daemon = true});
  EXPECT_FALSE(open.demands());
  EXPECT_FALSE(open.insists());
  const SiteGuard munge({.method = Method::kMunge, .munge_socket = "/nowhere"});
  const Outcomes all = converse(daemon('a'), munge, hello_, hello_);
  ASSERT_TRUE(all.client);
  EXPECT_TRUE(all.answer.empty());
  EXPECT_NE(all.client->error().text.find("by key"), std::string::npos) << all.client->error().text;
}

TEST_F(ByKey, WithoutAKeyTheClientSaysWhatToDo) {
  const Outcomes all = converse(daemon('a'), SiteGuard(SiteSettings{}), hello_, hello_);
  ASSERT_TRUE(all.client);
  EXPECT_EQ(all.client->error().code, Errc::kDenied);
  EXPECT_NE(all.client->error().text.find("GODWIT_KEY_FILE"), std::string::npos) << all.client->error().text;
}

TEST_F(ByKey, AProofForAnotherPurposeOrStreamIsRefused) {
  EXPECT_FALSE(converse(daemon('a'), client('a'), {Purpose::kJob, {}}, hello_).agree());
  EXPECT_FALSE(converse(daemon('a'), client('a'), {Purpose::kStream, {1, 2}}, {Purpose::kStream, {1, 3}}).agree());
  EXPECT_TRUE(converse(daemon('a'), client('a'), {Purpose::kStream, {1, 2}}, {Purpose::kStream, {1, 2}}).agree());
}

// What a sniffer has: a whole conversation that was good.
TEST_F(ByKey, AReplayedProofIsRefused) {
  const SiteGuard server = daemon('a');
  const Outcomes heard = converse(server, client('a'), hello_, hello_);
  ASSERT_TRUE(heard.agree());
  const auto again = server.admit(hello_, "tcp://sniffer");
  EXPECT_NE(again->begin().say, heard.challenge) << "a nonce came twice";
  const auto step = again->take(heard.answer);
  ASSERT_TRUE(step.outcome);
  EXPECT_FALSE(*step.outcome);
  EXPECT_EQ(step.say, encode(Verdict{}));
}

TEST_F(ByKey, AReplayedVerdictConvincesNoClient) {
  const SiteGuard asking = client('a');
  const Outcomes heard = converse(daemon('a'), asking, hello_, hello_);
  ASSERT_TRUE(heard.agree());
  const auto approach = asking.approach(hello_, "tcp://impostor");
  EXPECT_FALSE(approach->take(heard.challenge).outcome);
  const auto step = approach->take(heard.verdict);
  ASSERT_TRUE(step.outcome);
  EXPECT_FALSE(*step.outcome);
}

// An impostor that has no key sends back what the client itself has said.
TEST_F(ByKey, TheClientsOwnProofIsNoneOfTheServer) {
  const SiteGuard asking = client('a');
  const auto approach = asking.approach(hello_, "tcp://impostor");
  const auto step = approach->take(encode(Challenge{Method::kKey, {7, 8}, random_nonce()}));
  const auto answer = decode_answer(step.say);
  ASSERT_TRUE(answer);
  const auto last = approach->take(encode(Verdict{true, answer->uid, answer->gid, answer->credential}));
  ASSERT_TRUE(last.outcome);
  EXPECT_FALSE(*last.outcome);
}

TEST_F(ByKey, AnotherUserThanTheOneThatWasSealedIsRefused) {
  const SiteGuard server = daemon('a');
  const auto admission = server.admit(hello_, "tcp://liar");
  const auto approach = client('a').approach(hello_, "tcp://server");
  auto answer = decode_answer(approach->take(admission->begin().say).say);
  ASSERT_TRUE(answer);
  answer->uid += 1;
  const auto step = admission->take(encode(*answer));
  ASSERT_TRUE(step.outcome);
  EXPECT_FALSE(*step.outcome);
}

TEST_F(ByKey, ForeignMessagesEndItOnBothSides) {
  const Bytes noise(100, std::byte{'x'});
  const SiteGuard server = daemon('a'), asking = client('a');
  const auto admission = server.admit(hello_, "tcp://noise");
  admission->begin();
  EXPECT_EQ(admission->take(noise).outcome->error().code, Errc::kDenied);
  EXPECT_EQ(asking.approach(hello_, "tcp://noise")->take(noise).outcome->error().code, Errc::kProtocol);
}

TEST(UidOf, NamesAndNumbersAreUnderstood) {
  EXPECT_EQ(*uid_of("root"), 0u);
  EXPECT_EQ(*uid_of("12345"), 12345u);
  EXPECT_EQ(uid_of("no-such-user-here").error().code, Errc::kConfig);
  EXPECT_EQ(uid_of("-1").error().code, Errc::kConfig);
}

}  // namespace
}  // namespace godwit::identity
