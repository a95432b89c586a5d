// The proof by MUNGE, with a real munged.
#include "identity/munge.hpp"

#include <gtest/gtest.h>
#include <munge.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <set>
#include <sstream>

#include "dialogue.hpp"
#include "identity/key.hpp"
#include "support/munged.hpp"

namespace godwit::identity {
namespace {

using fabric::Hello;
using fabric::Purpose;

constexpr uint32_t kSomebody = 12'345;  // Not in the password database, which MUNGE does not need.

class ByMunge : public testing::Test {
 protected:
  void SetUp() override {
    if (!test::Munged::is_installed()) GTEST_SKIP() << "no munged here";
    munged_.emplace();
    socket_ = munged_->socket();
  }
  SiteGuard daemon() const {
    return SiteGuard({.method = Method::kMunge, .is_daemon = true, .key = {}, .munge_socket = socket_, .node = {7, 8}});
  }
  SiteGuard client() const { return SiteGuard({.method = Method::kMunge, .key = {}, .munge_socket = socket_}); }

  // As user kSomebody makes it, by a process of its own.
  std::string credential_of_somebody(const Seal& payload) const {
    int ends[2];
    if (pipe(ends) != 0) return {};
    const pid_t child = fork();
    if (child == 0) {
      std::string made;
      if (setresgid(kSomebody, kSomebody, kSomebody) == 0 && setresuid(kSomebody, kSomebody, kSomebody) == 0)
        if (auto credential = munge_encode(socket_, payload)) made = *credential;
      _exit(write(ends[1], made.data(), made.size()) == static_cast<ssize_t>(made.size()) ? 0 : 1);
    }
    close(ends[1]);
    std::string made(4096, '\0');
    const ssize_t size = read(ends[0], made.data(), made.size());
    close(ends[0]);
    waitpid(child, nullptr, 0);
    made.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return made;
  }

  std::optional<test::Munged> munged_;
  std::string socket_;
  const Hello hello_{Purpose::kControl, {}};
  const Seal payload_ = sha256(std::as_bytes(std::span("this connection")));
};

TEST_F(ByMunge, BothSidesBelieveEachOther) {
  const Outcomes all = converse(daemon(), client(), hello_, hello_);
  ASSERT_TRUE(all.agree());
  EXPECT_EQ((*all.server)->uid, geteuid());
  EXPECT_TRUE((*all.server)->is_trusted);  // The daemon's own user.
  EXPECT_TRUE((*all.client)->is_trusted);
}

TEST_F(ByMunge, AClientWithoutSettingsProvesWhatItIsAskedFor) {
  EXPECT_TRUE(converse(daemon(), SiteGuard({.key = {}, .munge_socket = socket_}), hello_, hello_).agree());
}

TEST_F(ByMunge, ACredentialSaysWhoMadeIt) {
  const auto mine = munge_decode(socket_, *munge_encode(socket_, payload_), payload_);
  ASSERT_TRUE(mine) << mine.error().text;
  EXPECT_EQ(mine->uid, geteuid());
  EXPECT_EQ(mine->gid, getegid());
}

TEST_F(ByMunge, AReplayedCredentialIsRefused) {
  const std::string credential = *munge_encode(socket_, payload_);
  ASSERT_TRUE(munge_decode(socket_, credential, payload_));
  const auto again = munge_decode(socket_, credential, payload_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kDenied);
  EXPECT_NE(again.error().text.find("Replayed"), std::string::npos) << again.error().text;
}

TEST_F(ByMunge, AProofThatWasGoodOnceIsRefusedOnAnotherConnection) {
  const SiteGuard server = daemon();
  const Outcomes heard = converse(server, client(), hello_, hello_);
  ASSERT_TRUE(heard.agree());
  const auto again = server.admit(hello_, "tcp://sniffer");
  again->begin();
  const auto step = settled(*again, again->take(heard.answer));
  ASSERT_TRUE(step.outcome);
  EXPECT_FALSE(*step.outcome);
  EXPECT_EQ(step.say, encode(Verdict{}));
}

TEST_F(ByMunge, AnExpiredCredentialIsRefused) {
  const munge_ctx_t context = munge_ctx_create();
  munge_ctx_set(context, MUNGE_OPT_SOCKET, socket_.c_str());
  munge_ctx_set(context, MUNGE_OPT_TTL, 1);
  char* credential = nullptr;
  ASSERT_EQ(munge_encode(&credential, context, payload_.data(), static_cast<int>(payload_.size())), EMUNGE_SUCCESS);
  const auto over = std::chrono::system_clock::now() + std::chrono::seconds(3);  // MUNGE counts whole seconds.
  ASSERT_TRUE(test::comes_true([&] { return std::chrono::system_clock::now() > over; }));
  const auto late = munge_decode(socket_, credential, payload_);
  free(credential);
  munge_ctx_destroy(context);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kDenied);
  EXPECT_NE(late.error().text.find("Expired"), std::string::npos) << late.error().text;
}

TEST_F(ByMunge, AForgedCredentialIsRefused) {
  std::string credential = *munge_encode(socket_, payload_);
  char& middle = credential[credential.size() / 2];
  middle = middle == 'A' ? 'B' : 'A';
  EXPECT_EQ(munge_decode(socket_, credential, payload_).error().code, Errc::kDenied);
  EXPECT_EQ(munge_decode(socket_, "MUNGE:AwQDAAB:", payload_).error().code, Errc::kDenied);
  EXPECT_EQ(munge_decode(socket_, "root", payload_).error().code, Errc::kDenied);
}

TEST_F(ByMunge, ACredentialForAnotherConnectionIsRefused) {
  const Seal other = sha256(std::as_bytes(std::span("another connection")));
  EXPECT_EQ(munge_decode(socket_, *munge_encode(socket_, other), payload_).error().code, Errc::kDenied);
}

TEST_F(ByMunge, ACredentialOfAnotherMungedsKeyIsRefused) {
  const test::Munged other('o');
  EXPECT_EQ(munge_decode(socket_, *munge_encode(other.socket(), payload_), payload_).error().code, Errc::kDenied);
}

TEST_F(ByMunge, AnotherUsersCredentialIsThatUsers) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can act as another user";
  const SiteGuard server = daemon();
  for (const bool lies : {false, true}) {
    const auto admission = server.admit(hello_, "tcp://somebody");
    const auto challenge = decode_challenge(admission->begin().say);
    ASSERT_TRUE(challenge);
    Answer answer{lies ? 0 : kSomebody, lies ? 0 : kSomebody, random_nonce(), ""};
    const auto said = statement(Side::kClient, *challenge, answer.nonce, hello_, answer.uid, answer.gid);
    answer.credential = credential_of_somebody(sha256(said));
    ASSERT_FALSE(answer.credential.empty());
    const auto step = settled(*admission, admission->take(encode(answer)));
    ASSERT_TRUE(step.outcome);
    EXPECT_EQ(static_cast<bool>(*step.outcome), !lies);
    if (lies) continue;
    EXPECT_EQ((**step.outcome).uid, kSomebody);
    EXPECT_FALSE((**step.outcome).is_trusted);
  }
}

TEST_F(ByMunge, AnAdministratorIsTrusted) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can act as another user";
  const SiteGuard server({.method = Method::kMunge,
                          .is_daemon = true,
                          .key = {},
                          .munge_socket = socket_,
                          .node = {7, 8},
                          .trusted_uids = {kSomebody}});
  const auto admission = server.admit(hello_, "tcp://somebody");
  const auto challenge = decode_challenge(admission->begin().say);
  Answer answer{kSomebody, kSomebody, random_nonce(), ""};
  answer.credential =
      credential_of_somebody(sha256(statement(Side::kClient, *challenge, answer.nonce, hello_, kSomebody, kSomebody)));
  const auto step = settled(*admission, admission->take(encode(answer)));
  ASSERT_TRUE(step.outcome && *step.outcome);
  EXPECT_TRUE((**step.outcome).is_trusted);
}

TEST_F(ByMunge, APrivateDaemonServesItsOwnUserAndAdministratorsAndNobodyElse) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can act as another user";
  const auto asked_by_somebody = [&](const std::set<uint32_t>& trusted) {
    const SiteGuard server({.method = Method::kMunge,
                            .is_daemon = true,
                            .key = {},
                            .munge_socket = socket_,
                            .node = {7, 8},
                            .is_private = true,
                            .trusted_uids = trusted});
    EXPECT_TRUE(converse(server, client(), hello_, hello_).agree());
    const auto admission = server.admit(hello_, "tcp://somebody");
    const auto challenge = decode_challenge(admission->begin().say);
    Answer answer{kSomebody, kSomebody, random_nonce(), ""};
    answer.credential =
        credential_of_somebody(sha256(statement(Side::kClient, *challenge, answer.nonce, hello_, kSomebody, kSomebody)));
    const auto step = settled(*admission, admission->take(encode(answer)));
    EXPECT_TRUE(step.outcome);
    EXPECT_EQ(step.say == encode(Verdict{}), !*step.outcome);  // Who is refused hears nothing else.
    return static_cast<bool>(*step.outcome);
  };
  EXPECT_FALSE(asked_by_somebody({}));
  EXPECT_TRUE(asked_by_somebody({kSomebody}));
}

TEST_F(ByMunge, ADaemonOfAnotherUserIsNotBelieved) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can act as another user";
  const auto conclude = [&](const SiteGuard& asking) {
    const auto approach = asking.approach(hello_, "tcp://server");
    const Challenge challenge{Method::kMunge, {7, 8}, random_nonce()};
    const auto answer = decode_answer(approach->take(encode(challenge)).say);
    EXPECT_TRUE(answer);
    Verdict verdict{true, kSomebody, kSomebody, ""};
    verdict.credential =
        credential_of_somebody(sha256(statement(Side::kServer, challenge, answer->nonce, hello_, kSomebody, kSomebody)));
    return *approach->take(encode(verdict)).outcome;
  };
  const auto doubted = conclude(client());
  ASSERT_FALSE(doubted);
  EXPECT_NE(doubted.error().text.find("12345"), std::string::npos) << doubted.error().text;
  EXPECT_TRUE(conclude(SiteGuard({.key = {}, .munge_socket = socket_, .trusted_uids = {kSomebody}})));
}

// The one that cannot be reached answers after libmunge's own patience: some seconds.
TEST_F(ByMunge, WithoutMungedTheErrorSaysWhatToDo) {
  const auto nobody = munge_encode("/nowhere/socket", payload_);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Errc::kUnreachable);
  EXPECT_NE(nobody.error().text.find("run munged"), std::string::npos) << nobody.error().text;
}

}  // namespace
}  // namespace godwit::identity
