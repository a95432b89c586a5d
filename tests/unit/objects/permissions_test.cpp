#include "objects/permissions.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "support/daemon.hpp"

namespace godwit::objects {
namespace {

class PermissionsTest : public testing::Test {
 protected:
  PermissionsTest() { reopen(); }
  void reopen() {
    permissions_.reset();
    journal_.reset();
    auto opened = journal::Journal::open(directory_.path());
    ASSERT_TRUE(opened) << opened.error().text;
    journal_ = std::move(*opened);
    permissions_.emplace(*journal_);
    ASSERT_TRUE(permissions_->load());
  }
  bool reads(const Caller& caller) const { return permissions_->may(caller, id_, Want::kRead); }
  bool writes(const Caller& caller) const { return permissions_->may(caller, id_, Want::kWrite); }

  const Id id_{1, 2};
  const Caller owner_{false, 1001, 2001}, colleague_{false, 1002, 2002, {2001}}, stranger_{false, 1003, 2003},
      administrator_{true};
  const test::TemporaryDirectory directory_;
  std::unique_ptr<journal::Journal> journal_;
  std::optional<Permissions> permissions_;
};

TEST_F(PermissionsTest, WithoutARecordItIsTheDaemonsOwn) {
  EXPECT_EQ(permissions_->of(id_), (Permission{geteuid(), getegid(), 0600}));
  EXPECT_TRUE(reads(administrator_) && writes(administrator_));
  EXPECT_FALSE(reads(owner_) || writes(owner_));
}

// Also where the daemon runs as root, whose number is 0.
TEST_F(PermissionsTest, ACallerThatNobodySetMayNothing) {
  ASSERT_TRUE(permissions_->set(id_, {0, 0, 0660}, false));
  EXPECT_FALSE(reads(Caller{}) || writes(Caller{}) || permissions_->is_owner(Caller{}, id_));
}

TEST_F(PermissionsTest, ANewObjectIsItsOwnersAlone) {
  ASSERT_TRUE(permissions_->set(id_, permissions_->of_new(owner_), false));
  EXPECT_TRUE(reads(owner_) && writes(owner_) && permissions_->is_owner(owner_, id_));
  EXPECT_FALSE(reads(colleague_) || reads(stranger_) || permissions_->is_owner(stranger_, id_));
  EXPECT_TRUE(writes(administrator_));
}

TEST_F(PermissionsTest, TheModeDecidesForTheGroupAndForOthers) {
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001, 0640}, false));
  EXPECT_TRUE(reads(colleague_));
  EXPECT_FALSE(writes(colleague_) || reads(stranger_));
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001, 0622}, false));
  EXPECT_TRUE(writes(stranger_));
  EXPECT_FALSE(reads(stranger_));
}

// As for files: the owner who may not is not helped by what others may.
TEST_F(PermissionsTest, TheFirstThatFitsDecides) {
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001, 0066}, false));
  EXPECT_FALSE(reads(owner_));
  EXPECT_TRUE(reads(stranger_));
  EXPECT_TRUE(permissions_->is_owner(owner_, id_));
}

TEST_F(PermissionsTest, WhoMayNotReadIsToldThatItIsNotHere) {
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001, 0640}, false));
  EXPECT_TRUE(permissions_->check(owner_, id_, Want::kWrite, "region x"));
  EXPECT_TRUE(permissions_->check(colleague_, id_, Want::kRead, "region x"));
  EXPECT_EQ(permissions_->check(colleague_, id_, Want::kWrite, "region x").error().code, Errc::kDenied);
  const auto hidden = permissions_->check(stranger_, id_, Want::kWrite, "region x");
  EXPECT_EQ(hidden.error().code, Errc::kNotFound);
  EXPECT_EQ(hidden.error().text, "no region x here");
}

TEST_F(PermissionsTest, WhatLastsIsThereAfterARestart) {
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001, 0640}, true));
  ASSERT_TRUE(permissions_->set({3, 4}, {1001, 2001, 0640}, false));
  // What lasts goes on to.
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001, 0604}, false));
  reopen();
  EXPECT_EQ(permissions_->of(id_), (Permission{1001, 2001, 0604}));
  EXPECT_EQ(permissions_->of({3, 4}).uid, geteuid());
}

TEST_F(PermissionsTest, WhatIsForgottenOrUnknownLeavesNothing) {
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001, 0640}, true));
  ASSERT_TRUE(permissions_->set({3, 4}, {1001, 2001, 0640}, true));
  ASSERT_TRUE(permissions_->set({5, 6}, {1001, 2001, 0640}, true));
  permissions_->forget(id_);
  ASSERT_TRUE(permissions_->keep_only([](const Id& id) { return id == Id{5, 6}; }));
  reopen();
  EXPECT_FALSE(reads(owner_));
  EXPECT_EQ(permissions_->of({3, 4}).uid, geteuid());
  EXPECT_EQ(permissions_->of({5, 6}).uid, 1001u);
  EXPECT_EQ(journal_->permissions()->size(), 1u);
}

// Whatever a restart has to end, it ends with the rights of whose it is.
TEST_F(PermissionsTest, AJobIsForgottenOnceTheJournalHasNothingOfIt) {
  const auto stays = [this](const char* of) {
    permissions_->forget_job(id_);
    reopen();
    EXPECT_EQ(permissions_->of(id_).uid, 1001u) << of;
  };
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001}, true));
  ASSERT_TRUE(permissions_->set({3, 4}, {1001, 2001}, true));
  ASSERT_TRUE(journal_->put_request({id_, 1, "{}"}));
  stays("a request");
  journal::OutboundJob outbound;
  outbound.job = id_;
  ASSERT_TRUE(journal_->start_outbound(outbound));
  ASSERT_TRUE(journal_->hand_over(id_, {}));
  stays("a record of the source");
  ASSERT_TRUE(journal_->forget_outbound(id_));
  journal::InboundJob inbound;
  inbound.job = id_;
  ASSERT_TRUE(journal_->prepare_inbound(inbound));
  stays("a record of the destination");
  ASSERT_TRUE(journal_->forget_inbound(id_));
  const journal::StagingRecord staging{id_, true, "/scratch"};
  ASSERT_TRUE(journal_->note_staging(staging));
  stays("a directory");
  ASSERT_TRUE(journal_->forget_staging(staging));
  permissions_->forget_job(id_);
  EXPECT_EQ(permissions_->of(id_).uid, geteuid());
  EXPECT_EQ(journal_->permissions()->size(), 1u) << "another's job";
}

// Of a dry run.
TEST_F(PermissionsTest, AJobThatDoesNotLastIsForgottenToo) {
  ASSERT_TRUE(permissions_->set(id_, {1001, 2001}, false));
  permissions_->forget_job(id_);
  EXPECT_EQ(permissions_->of(id_).uid, geteuid());
}

}  // namespace
}  // namespace godwit::objects
