// Many seeds of the simulator; and proof that it can fail.
// GODWIT_SIM_SEED=n replays one seed with its trace; GODWIT_SIM_SEEDS=count says how many are run, GODWIT_SIM_FIRST=n where
// they begin. `./dev simulate` sets them.
#include "cutover_simulator.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>

namespace godwit::model::sim {
namespace {

std::optional<uint64_t> number_from(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return std::nullopt;
  return std::strtoull(text, nullptr, 10);
}

std::string explain(const Outcome& outcome, Flaw flaw = Flaw::kNone) {
  const Outcome again = simulate(outcome.seed, flaw, true);
  return fmt::format("seed {}: {}\n{}replay it with ./dev simulate --seed {}", outcome.seed, again.violation, again.trace,
                     outcome.seed);
}

TEST(CutoverSimulator, PromisesHoldOnEverySeed) {
  if (const auto seed = number_from("GODWIT_SIM_SEED")) {
    const Outcome outcome = simulate(*seed, Flaw::kNone, true);
    fmt::print("{}", outcome.trace);
    ASSERT_EQ(outcome.violation, "") << "seed " << *seed;
    return;
  }
  constexpr uint64_t kSeedsDefault = 40'000;
  const uint64_t seeds = number_from("GODWIT_SIM_SEEDS").value_or(kSeedsDefault);
  const uint64_t first = number_from("GODWIT_SIM_FIRST").value_or(1);
  const auto started = std::chrono::steady_clock::now();
  uint64_t crashes = 0, jobs = 0, commits = 0, losses = 0, resumed = 0, fallbacks = 0, blocks_read = 0, blocks_skipped = 0;
  for (uint64_t seed = first; seed < first + seeds; ++seed) {
    const Outcome outcome = simulate(seed);
    ASSERT_EQ(outcome.violation, "") << explain(outcome);
    crashes += outcome.crashes;
    jobs += outcome.jobs;
    commits += outcome.commits;
    losses += outcome.losses;
    resumed += outcome.resumed;
    fallbacks += outcome.fallbacks;
    blocks_read += outcome.blocks_read;
    blocks_skipped += outcome.blocks_skipped;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  fmt::print("{} seeds, {:.0f} a second: {} jobs, {} committed, {} of them after an interruption, {} promises taken back, ",
             seeds, static_cast<double>(seeds) / seconds, jobs, commits, resumed, fallbacks);
  fmt::print("{} blocks read and {} not, {} crashes, {} volatile objects lost\n", blocks_read, blocks_skipped, crashes, losses);
  // The faults leave enough alive for the promises to mean something.
  if (seeds < 1000) return;
  EXPECT_GT(commits, jobs / 4);
  EXPECT_LT(commits, jobs);
  EXPECT_GT(crashes, seeds / 2);
  EXPECT_GT(resumed, commits / 20);
  EXPECT_GT(fallbacks, seeds / 50);
  EXPECT_GT(blocks_skipped, blocks_read / 20);
}

TEST(CutoverSimulator, SameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 50; ++seed)
    EXPECT_EQ(simulate(seed, Flaw::kNone, true).trace, simulate(seed, Flaw::kNone, true).trace);
}

struct FlawCase {
  const char* name;
  Flaw flaw;
};

class FlawedCutover : public testing::TestWithParam<FlawCase> {};

TEST_P(FlawedCutover, IsFound) {
  constexpr uint64_t kSeedsMax = 100'000;
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    const Outcome outcome = simulate(seed, GetParam().flaw);
    if (outcome.violation.empty()) continue;
    fmt::print("{}: seed {}: {}\n", GetParam().name, seed, outcome.violation);
    EXPECT_EQ(simulate(seed).violation, "") << "the flaw is not what breaks it";
    EXPECT_FALSE(simulate(seed, GetParam().flaw, true).trace.empty());
    if (number_from("GODWIT_SIM_VERBOSE")) fmt::print("{}\n", explain(outcome, GetParam().flaw));
    return;
  }
  FAIL() << "no seed of " << kSeedsMax << " shows it";
}

INSTANTIATE_TEST_SUITE_P(Flaws, FlawedCutover,
                         testing::Values(FlawCase{"HandOverNotJournalled", Flaw::kHandOverNotJournalled},
                                         FlawCase{"AnswersBeforeDurable", Flaw::kAnswersBeforeDurable},
                                         FlawCase{"ResumesBeforeAbortJournal", Flaw::kResumesBeforeAbortJournal},
                                         FlawCase{"DoesNotAdopt", Flaw::kDoesNotAdopt},
                                         FlawCase{"FreesAtHandOver", Flaw::kFreesAtHandOver},
                                         FlawCase{"DestinationForgetsAtCommit", Flaw::kDestinationForgetsAtCommit},
                                         FlawCase{"OwnerWithoutCopyAnswersLost", Flaw::kOwnerWithoutCopyAnswersLost},
                                         FlawCase{"ReclaimsAfterCommitted", Flaw::kReclaimsAfterCommitted},
                                         FlawCase{"ServesByJobRecord", Flaw::kServesByJobRecord},
                                         FlawCase{"UnknownJobMeansCommit", Flaw::kUnknownJobMeansCommit},
                                         FlawCase{"PreparesWithoutLastPass", Flaw::kPreparesWithoutLastPass},
                                         FlawCase{"RecoversWithoutForgetting", Flaw::kRecoversWithoutForgetting},
                                         FlawCase{"ReceivesWithoutJournal", Flaw::kReceivesWithoutJournal},
                                         FlawCase{"JournalsBeforeOfferAgain", Flaw::kJournalsBeforeOfferAgain},
                                         FlawCase{"ReadsOutliveTheirAttempt", Flaw::kReadsOutliveTheirAttempt},
                                         FlawCase{"TrustsCheckpoint", Flaw::kTrustsCheckpoint},
                                         FlawCase{"ForgetsCheckpoint", Flaw::kForgetsCheckpoint},
                                         FlawCase{"StaleAttemptCounts", Flaw::kStaleAttemptCounts},
                                         FlawCase{"StaleAnswerReclaims", Flaw::kStaleAnswerReclaims},
                                         FlawCase{"AttemptNotJournalled", Flaw::kAttemptNotJournalled},
                                         FlawCase{"KeepsRecordWhenInterrupted", Flaw::kKeepsRecordWhenInterrupted},
                                         FlawCase{"ReclaimedJobResumes", Flaw::kReclaimedJobResumes},
                                         FlawCase{"ResumesWhatItReleased", Flaw::kResumesWhatItReleased},
                                         FlawCase{"DoneNotJournalled", Flaw::kDoneNotJournalled},
                                         FlawCase{"GoesOnWithoutRecord", Flaw::kGoesOnWithoutRecord},
                                         FlawCase{"ForgetsPause", Flaw::kForgetsPause}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace godwit::model::sim
