// What a daemon makes of what the other members of its group say: scripted members, also hostile ones.
#include "daemon/group.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "support/fake_daemon.hpp"

namespace {

using godwit::Errc;
using godwit::Id;
using godwit::Result;
using godwit::daemon::Group;
using godwit::daemon::Place;
using godwit::daemon::Wanted;
using godwit::test::FakeDaemon;
namespace wire = godwit::wire;
using wire::PlaceKind;
using Bytes = std::span<const std::byte>;
using Connection = godwit::fabric::ConnectionId;
using Request = godwit::protocol::Decoded;

constexpr Id kThis{9, 9};
constexpr Id kObject{1, 2};
const wire::Id kMember(5, 6);

struct Said {
  PlaceKind kind = PlaceKind::region;
  Id id = kObject;
  uint64_t epoch = 1;
  std::string name = "mesh";
  std::string path = {};
  Id job = {};
};

// A member that says of everything that it has these.
FakeDaemon::Script says(std::vector<Said> all, wire::Id node = kMember) {
  return [all = std::move(all), node](FakeDaemon& daemon, Connection, const Request& request) -> Bytes {
    auto& builder = daemon.encoder().builder();
    if (request.body<wire::PingRequest>() != nullptr)
      return daemon.encoder().finish(request.request(), wire::CreatePingReplyDirect(builder, &node, "tcp://elsewhere:1", "0"));
    const auto* locate = request.body<wire::LocateRequest>();
    EXPECT_TRUE(locate != nullptr && locate->alone()) << "a member is asked for what it has itself, and nothing else";
    std::vector<flatbuffers::Offset<wire::PlaceEntry>> entries;
    for (const Said& one : all) {
      const wire::Id id = godwit::protocol::to_wire(one.id), job = godwit::protocol::to_wire(one.job);
      entries.push_back(wire::CreatePlaceEntryDirect(builder, one.kind, &id, one.epoch, one.name.c_str(), "fast",
                                                     "tcp://elsewhere:1", one.path.c_str(), &job));
    }
    return daemon.encoder().finish(request.request(), wire::CreateLocateReplyDirect(builder, &node, &entries));
  };
}

Bytes nothing(FakeDaemon&, Connection, const Request&) { return {}; }

class GroupTest : public ::testing::Test {
 protected:
  Group& group_of(const std::vector<const FakeDaemon*>& members) {
    std::vector<std::string> addresses{"tcp://127.0.0.1:1"};  // Its own: nobody is asked there.
    for (const FakeDaemon* member : members) addresses.push_back(member->address());
    group_ = std::make_unique<Group>(addresses, std::vector<std::string>{"tcp://127.0.0.1:1"}, kThis, domains_, [] {});
    return *group_;
  }
  static Wanted named(const std::string& name, PlaceKind kind = PlaceKind::region) { return {{}, name, Wanted::bit(kind)}; }
  static Wanted with_id(const Id& id, PlaceKind kind = PlaceKind::region) { return {id, {}, Wanted::bit(kind)}; }

  godwit::engine::Domains domains_{false};
  std::unique_ptr<Group> group_;
};

TEST_F(GroupTest, WhoHasNoOtherMembersIsAlone) {
  Group& group = group_of({});
  EXPECT_TRUE(group.is_alone());
  EXPECT_TRUE(group.others().empty());
  EXPECT_EQ(group.find(named("mesh")).error().code, Errc::kNotFound);
}

TEST_F(GroupTest, AnObjectIsWhereTheConfigurationReachesItsMember) {
  FakeDaemon empty(says({})), owner(says({{}}));
  Group& group = group_of({&empty, &owner});
  for (const Wanted& wanted : {named("mesh"), with_id(kObject)}) {
    const auto place = group.find(wanted);
    ASSERT_TRUE(place) << place.error().text;
    EXPECT_EQ(place->id, kObject);
    EXPECT_EQ(place->address, owner.address());  // Not where the member says: nobody can send our clients elsewhere.
  }
}

TEST_F(GroupTest, OfTwoRecordsOfOneIdTheNewerCounts) {
  FakeDaemon stale(says({{.epoch = 3}})), owner(says({{.epoch = 4}}));
  const auto place = group_of({&stale, &owner}).locate(with_id(kObject), {});
  ASSERT_TRUE(place) << place.error().text;
  EXPECT_EQ(place->address, owner.address());
  EXPECT_EQ(place->epoch, 4u);
}

TEST_F(GroupTest, TwoObjectsOfOneNameAreBothNamed) {
  FakeDaemon a(says({{}})), b(says({{.id = {3, 4}}}));
  const auto place = group_of({&a, &b}).find(named("mesh"));
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, Errc::kExists);
  for (const std::string& part : {a.address(), b.address(), to_string(kObject), to_string(Id{3, 4})})
    EXPECT_NE(place.error().text.find(part), std::string::npos) << part << " in: " << place.error().text;
}

TEST_F(GroupTest, AnswersToOtherQuestionsAreNone) {
  FakeDaemon liar(says({{.id = {7, 7}},
                        {.kind = PlaceKind::database},
                        {.kind = static_cast<PlaceKind>(5)},
                        {.kind = PlaceKind::fileset},
                        {.path = "/a/region/has/none"},
                        {.kind = static_cast<PlaceKind>(255)},
                        {.id = {}},
                        {.name = std::string(129, 'x')}}));
  EXPECT_EQ(group_of({&liar}).find(with_id(kObject)).error().code, Errc::kNotFound);
  EXPECT_EQ(group_of({&liar}).find(named("other")).error().code, Errc::kNotFound);
  EXPECT_EQ(group_of({&liar}).find(with_id(kObject, PlaceKind::job)).error().code, Errc::kNotFound);
}

TEST_F(GroupTest, AFilesetIsFoundByItsPathItsIdAndItsJob) {
  const Id job{8, 8};
  FakeDaemon owner(says({{.kind = PlaceKind::fileset, .name = "", .path = "/to/tree", .job = job}}));
  Group& group = group_of({&owner});
  constexpr auto kFileset = PlaceKind::fileset;
  for (const Wanted& wanted :
       {named("/to/tree", kFileset), named("/to//tree/", kFileset), with_id(kObject, kFileset), with_id(job, kFileset)}) {
    const auto place = group.locate(wanted, {});
    ASSERT_TRUE(place) << wanted.describe() << ": " << place.error().text;
    EXPECT_EQ(place->path, "/to/tree");
    EXPECT_EQ(place->id, kObject);
    EXPECT_EQ(place->address, owner.address());
  }
  for (const Wanted& wanted : {named("/to", kFileset), named("tree", kFileset), named("/to/../to/tree", kFileset),
                               with_id({8, 9}, kFileset), with_id(job)})
    EXPECT_EQ(group.locate(wanted, {}).error().code, Errc::kNotFound) << wanted.describe();
}

TEST_F(GroupTest, OfAJobThatIsKnownAndWhatItHasMovedTheJobIsMeant) {
  const Id job{8, 8};
  FakeDaemon owner(says({{.kind = PlaceKind::fileset, .path = "/to/tree", .job = job},
                         {.kind = PlaceKind::fileset, .id = {1, 3}, .path = "/to/other", .job = job}}));
  const Wanted wanted{job, {}, static_cast<uint8_t>(Wanted::bit(PlaceKind::fileset) | Wanted::bit(PlaceKind::job))};
  const auto both = group_of({&owner}).locate(wanted, {});
  ASSERT_FALSE(both);
  EXPECT_EQ(both.error().code, Errc::kExists);
  for (const std::string& part : {to_string(kObject), to_string(Id{1, 3}), to_string(job)})
    EXPECT_NE(both.error().text.find(part), std::string::npos) << part << " in: " << both.error().text;
  const auto known = group_of({&owner}).locate(wanted, {{PlaceKind::job, job, 0, {}, {}, "tcp://127.0.0.1:1"}});
  ASSERT_TRUE(known) << known.error().text;
  EXPECT_EQ(known->kind, PlaceKind::job);
}

TEST_F(GroupTest, OneMemberCannotFillTheAnswer) {
  std::vector<Said> many;
  for (uint64_t i = 1; i <= 5'000; ++i) many.push_back({.id = {i, i}});
  FakeDaemon liar(says(many));
  const auto place = group_of({&liar}).find(named("mesh"));
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, Errc::kExists);
  EXPECT_LT(place.error().text.size(), 2'000u);
}

TEST_F(GroupTest, WhoAnswersWithNonsenseIsSilent) {
  FakeDaemon liar([](FakeDaemon& daemon, Connection connection, const Request&) -> Bytes {
    const std::array<std::byte, 40> nonsense{};
    daemon.send(connection, nonsense);
    return {};
  });
  const auto place = group_of({&liar}).find(named("mesh"));
  ASSERT_FALSE(place);
  EXPECT_EQ(place.error().code, Errc::kUnreachable);
  EXPECT_NE(place.error().text.find(liar.address()), std::string::npos) << place.error().text;
}

TEST_F(GroupTest, ARefusalIsNoAnswer) {
  FakeDaemon old([](FakeDaemon& daemon, Connection, const Request& request) -> Bytes {
    return daemon.encoder().error(request.request(), {Errc::kProtocol, "what\nis that?"});
  });
  const auto place = group_of({&old}).find(named("mesh"));
  EXPECT_EQ(place.error().code, Errc::kUnreachable);
  EXPECT_EQ(place.error().text.find('\n'), std::string::npos);
}

TEST_F(GroupTest, AMemberThatIsSilentIsNamedAndLeftAloneForAWhile) {
  FakeDaemon silent(nothing), owner(says({{}}));
  Group& group = group_of({&silent, &owner});
  const auto missing = group.find(named("other"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::kUnreachable);
  EXPECT_NE(missing.error().text.find(silent.address()), std::string::npos) << missing.error().text;
  EXPECT_EQ(missing.error().text.find(owner.address()), std::string::npos) << missing.error().text;
  EXPECT_EQ(silent.messages(), 1);
  // It rests, and is reported all the same. (Should this machine have slept meanwhile, it is asked again.)
  const auto members = group.others();
  ASSERT_EQ(members.size(), 2u);
  ASSERT_TRUE(members[0].error);
  EXPECT_EQ(members[0].error->code, Errc::kTimeout);
  EXPECT_FALSE(members[1].error);
  EXPECT_EQ(members[1].node, godwit::protocol::from_wire(kMember));
  // One that was found is found, whoever is silent.
  EXPECT_TRUE(group.find(named("mesh")));
}

TEST_F(GroupTest, AnIdIsFoundWithoutWaitingForWhoIsSilent) {
  FakeDaemon silent(nothing), owner(says({{}}));
  const auto begin = godwit::Clock::now();
  int found = 0;
  // Each time anew, so that nobody rests: together they would wait for a minute.
  for (int i = 0; i < 40; ++i) found += group_of({&silent, &owner}).find(with_id(kObject)) ? 1 : 0;
  EXPECT_EQ(found, 40);
  EXPECT_LT(godwit::Clock::now() - begin, std::chrono::seconds(60));
}

TEST_F(GroupTest, AJobThatWasFoundIsKnown) {
  auto owner = std::make_unique<FakeDaemon>(says({{.kind = PlaceKind::job}}));
  Group& group = group_of({owner.get()});
  const auto first = group.find(with_id(kObject, PlaceKind::job));
  ASSERT_TRUE(first) << first.error().text;
  owner.reset();
  const auto second = group.find(with_id(kObject, PlaceKind::job));
  ASSERT_TRUE(second) << second.error().text;
  EXPECT_EQ(second->address, first->address);
  EXPECT_EQ(group.find(with_id({1, 3}, PlaceKind::job)).error().code, Errc::kUnreachable);
}

TEST_F(GroupTest, ThisNodeByAnotherNameIsNoMember) {
  FakeDaemon self(says({{}}, wire::Id(kThis.high, kThis.low)));
  Group& group = group_of({&self});
  EXPECT_TRUE(group.others().empty());
  EXPECT_EQ(group.find(named("mesh")).error().code, Errc::kNotFound);
}

TEST_F(GroupTest, AMemberThatDoesNotSayWhoItIsHasNotAnswered) {
  FakeDaemon nameless(says({}, wire::Id(0, 0)));
  const auto members = group_of({&nameless}).others();
  ASSERT_EQ(members.size(), 1u);
  ASSERT_TRUE(members[0].error);
  EXPECT_EQ(members[0].error->code, Errc::kProtocol);
}

}  // namespace
