// A daemon that is killed in the middle of its transactions, and two that want one journal.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "journal_fixture.hpp"

namespace godwit::journal {
namespace {

constexpr uint64_t kObjects = 20;  // Of each job.

// The n-th transaction of the child: prepare, own and forget a job, then hand it over, and again.
Result<> transaction(Journal& journal, uint64_t n) {
  const uint64_t job = n / 7;
  const uint64_t first = job * kObjects;
  switch (n % 7) {
    case 0: return journal.prepare_inbound(inbound_of(job, first, kObjects));
    case 1: return journal.own_inbound(Id{1, job}, regions_of(first, kObjects, 2));
    case 2: return journal.forget_inbound(Id{1, job});
    case 3: return journal.start_outbound(outbound_of(job, first, kObjects));
    case 4: return journal.hand_over(Id{1, job}, moved_list(first, kObjects));
    case 5: return journal.finish_outbound(Id{1, job});
    default: return journal.forget_outbound(Id{1, job});
  }
}

// What the journal says after n of them.
std::string shape(uint64_t regions, uint64_t moved, size_t inbound, size_t outbound, int state) {
  return std::to_string(regions) + " regions, " + std::to_string(moved) + " moved, " + std::to_string(inbound) + " in, " +
         std::to_string(outbound) + " out, state " + std::to_string(state);
}

std::string expected_after(uint64_t n) {
  const uint64_t moved_before = n / 7 * kObjects;
  switch (n % 7) {
    case 0: return shape(0, moved_before, 0, 0, -1);
    case 1: return shape(0, moved_before, 1, 0, 0);
    case 2: return shape(kObjects, moved_before, 1, 0, 1);
    case 3: return shape(kObjects, moved_before, 0, 0, -1);
    case 4: return shape(kObjects, moved_before, 0, 1, 0);
    case 5: return shape(0, moved_before + kObjects, 0, 1, 1);
    default: return shape(0, moved_before + kObjects, 0, 1, 2);
  }
}

std::string found_in(Journal& journal) {
  const auto inbound = journal.inbound();
  const auto outbound = journal.outbound();
  int state = -1;
  if (!inbound->empty()) state = static_cast<int>(inbound->front().state);
  if (!outbound->empty()) state = static_cast<int>(outbound->front().state);
  for (const auto& job : *inbound) EXPECT_EQ(job.objects.size(), kObjects);
  for (const auto& job : *outbound) EXPECT_EQ(job.objects.size(), kObjects);
  return shape(journal.regions()->size(), journal.moved()->size(), inbound->size(), outbound->size(), state);
}

class JournalCrash : public JournalFixture {
 protected:
  // Runs transactions from `n` on in a child, which is killed after about `delay_us`. Returns how many were acknowledged in
  // all.
  uint64_t run_and_kill(uint64_t n, useconds_t delay_us) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      close(ends[0]);
      auto journal = Journal::open(dir_);
      if (!journal) _exit(1);
      for (;; ++n) {
        if (!transaction(**journal, n)) _exit(2);
        const char acknowledged = 1;
        if (write(ends[1], &acknowledged, 1) != 1) _exit(3);
      }
    }
    close(ends[1]);
    char byte = 0;
    if (read(ends[0], &byte, 1) == 1) ++n;  // It works.
    usleep(delay_us);
    kill(child, SIGKILL);
    while (read(ends[0], &byte, 1) == 1) ++n;
    close(ends[0]);
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "the child gave up: " << WEXITSTATUS(status);
    return n;
  }
};

TEST_F(JournalCrash, KilledInTheMiddleKeepsWhatItAcknowledged) {
  std::mt19937 random(20);
  uint64_t n = 0;
  for (int round = 0; round < 25; ++round) {
    journal_.reset();
    n = run_and_kill(n, static_cast<useconds_t>(random() % 20'000));
    reopen();
    const std::string found = found_in(*journal_);
    // The last one may have become durable before it could say so.
    if (found == expected_after(n + 1) && found != expected_after(n)) ++n;
    ASSERT_EQ(found, expected_after(n)) << "round " << round << " after " << n << " transactions";
  }
  EXPECT_GT(n, 25U);
}

TEST_F(JournalCrash, SecondOpenerIsTurnedAway) {
  auto second = Journal::open(dir_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kBusy);
  EXPECT_NE(second.error().text.find("another daemon"), std::string::npos) << second.error().text;
  ASSERT_TRUE(journal_->add_region(region_of(1))) << "the first is not disturbed";
  journal_.reset();
  EXPECT_TRUE(Journal::open(dir_));
}

TEST_F(JournalCrash, SecondProcessIsTurnedAwayUntilTheFirstDies) {
  journal_.reset();
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    auto journal = Journal::open(dir_);
    const char answer = journal ? 'y' : 'n';
    if (write(ready[1], &answer, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char answer = 'n';
  ASSERT_EQ(read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  auto second = Journal::open(dir_);
  EXPECT_TRUE(!second && second.error().code == Errc::kBusy);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
  reopen();
}

}  // namespace
}  // namespace godwit::journal
