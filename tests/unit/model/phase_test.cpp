#include "model/phase.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace godwit::model {
namespace {

constexpr int kPhases = 11;
Phase phase(int number) { return static_cast<Phase>(number); }

TEST(Phase, NumbersAreThoseOfTheWire) {
  const std::map<int, std::string_view> names = {{0, "planning"},   {1, "pre-sync"},    {2, "sync"},     {3, "cutover"},
                                                 {4, "validation"}, {5, "cleanup"},     {6, "done"},     {7, "paused"},
                                                 {8, "failed"},     {9, "rolled back"}, {10, "in doubt"}};
  ASSERT_EQ(names.size(), size_t{kPhases});
  for (const auto& [number, name] : names) EXPECT_EQ(to_string(phase(number)), name);
}

TEST(Phase, NumberOfANewerPeerHasANameToo) { EXPECT_EQ(to_string(phase(200)), "unknown"); }

TEST(Phase, TableIsThis) {
  const std::map<Phase, std::set<Phase>> followers = {
      {Phase::kPlanning, {Phase::kPreSync, Phase::kPaused, Phase::kFailed, Phase::kRolledBack}},
      {Phase::kPreSync, {Phase::kSync, Phase::kPaused, Phase::kFailed, Phase::kDone, Phase::kRolledBack}},
      {Phase::kSync, {Phase::kCutover, Phase::kValidation, Phase::kPaused, Phase::kFailed, Phase::kRolledBack}},
      {Phase::kCutover,
       {Phase::kValidation, Phase::kCleanup, Phase::kInDoubt, Phase::kPaused, Phase::kFailed, Phase::kRolledBack}},
      {Phase::kValidation, {Phase::kCutover, Phase::kCleanup, Phase::kPaused, Phase::kFailed, Phase::kRolledBack}},
      {Phase::kCleanup, {Phase::kDone}},
      {Phase::kInDoubt, {Phase::kCleanup, Phase::kRolledBack}},
      {Phase::kPaused, {Phase::kPlanning, Phase::kPreSync, Phase::kSync, Phase::kFailed, Phase::kRolledBack}},
  };
  for (int from = 0; from < kPhases; ++from)
    for (int to = 0; to < kPhases; ++to) {
      const auto row = followers.find(phase(from));
      const bool expected = row != followers.end() && row->second.contains(phase(to));
      EXPECT_EQ(may_follow(phase(from), phase(to)), expected) << to_string(phase(from)) << " -> " << to_string(phase(to));
    }
}

TEST(Phase, NothingFollowsAFinalPhaseAndEveryOtherLeadsToOne) {
  for (int from = 0; from < kPhases; ++from) {
    std::set<int> reached{from};
    for (int round = 0; round < kPhases; ++round)
      for (int to = 0; to < kPhases; ++to)
        for (const int via : std::set<int>(reached))
          if (may_follow(phase(via), phase(to))) reached.insert(to);
    EXPECT_EQ(reached.size() == 1, is_final(phase(from))) << to_string(phase(from));
    bool ends = false;
    for (const int to : reached) ends |= is_final(phase(to));
    EXPECT_TRUE(ends) << to_string(phase(from));
  }
}

TEST(Phase, FinalPhasesAreThree) {
  for (int number = 0; number < kPhases; ++number)
    EXPECT_EQ(is_final(phase(number)),
              phase(number) == Phase::kDone || phase(number) == Phase::kFailed || phase(number) == Phase::kRolledBack);
}

}  // namespace
}  // namespace godwit::model
