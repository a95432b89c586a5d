#include "godwit-bulk/earlier_run.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "godwit-bulk/refused.hpp"

namespace godwit::bulk {
namespace {

const std::vector<std::string> kFrom{"tcp://n1:7411"}, kTo{"tcp://n2:7411", "tcp://n3:7411"};
const std::string kJob(32, 'a');

godwit_region_id id(uint64_t number) { return godwit_region_id{0x10, number}; }

// A run of four regions r0 to r3 and a report of it.
class EarlierRunTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (uint64_t i = 0; i < 4; ++i) {
      Item item;
      item.id = id(i);
      item.size_bytes = 10 + i;
      items_.add(item, "r" + std::to_string(i));
    }
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<RunLines> open(bool is_copy = false) {
    auto lines = std::make_unique<RunLines>(path_, is_copy, kFrom, kTo);
    lines->begin();
    return lines;
  }
  void tell(RunLines& lines, uint32_t index, State state, int error, uint32_t call) {
    items_[index].state = state;
    items_[index].error = static_cast<int16_t>(error);
    lines.item(items_, items_[index], Fate{kFrom[0], kTo[0], "why \"not\" \xff", 0, call, 0.5, 1.5});
  }
  EarlierRun read() {
    std::ifstream file(path_);
    return EarlierRun(file, path_);
  }
  std::string text() {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  int error_of(const std::string& lines) {
    std::istringstream in(lines);
    try {
      EarlierRun(in, "drain.json.items");
    } catch (const Refused& refused) {
      what_ = refused.what();
      return refused.error();
    }
    return GODWIT_OK;
  }

  const std::filesystem::path directory_ = [] {
    std::string text = (std::filesystem::temp_directory_path() / "godwit-test.XXXXXX").string();
    return std::filesystem::path(mkdtemp(text.data()));
  }();
  const std::string path_ = (directory_ / "report.json.items").string();
  Items items_;
  std::string what_;
};

TEST_F(EarlierRunTest, WhatArrivedIsKnownByIdAndByName) {
  auto lines = open();
  tell(*lines, 0, State::kArrived, GODWIT_OK, 0);
  tell(*lines, 1, State::kFailed, GODWIT_ERR_EXISTS, 0);
  ASSERT_TRUE(lines->finish());
  const EarlierRun run = read();
  EXPECT_EQ(run.arrived(), 1u);
  EXPECT_TRUE(run.has_arrived(Kind::kRegion, id(0)));
  EXPECT_TRUE(run.has_arrived(Kind::kRegion, "r0"));
  EXPECT_FALSE(run.has_arrived(Kind::kDatabase, id(0)));
  EXPECT_FALSE(run.has_arrived(Kind::kRegion, id(1)));
  EXPECT_FALSE(run.is_copy());
}

TEST_F(EarlierRunTest, ACallWithoutAnEndIsToBeAskedAbout) {
  auto lines = open(true);
  lines->call_given(7, 1, kFrom[0], kTo[1], items_, {1, 3}, 0.25);
  lines->call_started(7, kJob);
  lines->call_given(8, 1, kFrom[0], kTo[1], items_, {2}, 0.25);
  lines->call_started(8, kJob);
  lines->call_ended(8, CallRecord{}, false);
  lines->flush();  // And no more: the run was killed.
  EarlierRun run = read();
  EXPECT_TRUE(run.is_copy());
  const auto calls = run.take_open_calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_TRUE(run.knows_job(kJob));
  EXPECT_EQ(calls[0].job, kJob);
  EXPECT_EQ(calls[0].source, kFrom[0]);
  EXPECT_EQ(calls[0].names, (std::vector<std::string>{"r1", "r3"}));
  ASSERT_EQ(calls[0].ids.size(), 2u);
  EXPECT_EQ(text_of(calls[0].ids[1]), text_of(id(3)));
  run.settle_arrived(Kind::kRegion, id(1), "r1");
  run.settle_in_doubt(Kind::kRegion, id(3), "r3");
  run.settled();
  EXPECT_TRUE(run.has_arrived(Kind::kRegion, id(1)));
  EXPECT_TRUE(run.is_in_doubt(Kind::kRegion, id(3)));
}

TEST_F(EarlierRunTest, ACallWhoseJobNobodyToldIsToBeAskedAbout) {
  auto lines = open(true);
  lines->call_given(7, 1, kFrom[0], kTo[1], items_, {1}, 0.25);
  lines->flush();
  EarlierRun run = read();
  const auto calls = run.take_open_calls();
  ASSERT_EQ(calls.size(), 1u);
  EXPECT_EQ(calls[0].job, "");
  EXPECT_EQ(calls[0].destination, kTo[1]);
}

TEST_F(EarlierRunTest, ACallThatEndedInDoubtIsToBeAskedAboutToo) {
  auto lines = open();
  lines->call_given(7, 1, kFrom[0], kTo[1], items_, {1}, 0.25);
  lines->call_started(7, kJob);
  tell(*lines, 1, State::kInDoubt, GODWIT_ERR_IN_DOUBT, 7);
  lines->call_ended(7, CallRecord{}, true);
  lines->flush();
  EarlierRun run = read();
  EXPECT_EQ(run.take_open_calls().size(), 1u);
}

TEST_F(EarlierRunTest, ACopyInDoubtWithoutAJobIsNotSentAgain) {
  for (const bool is_copy : {false, true}) {
    auto lines = open(is_copy);
    tell(*lines, 1, State::kInDoubt, GODWIT_ERR_PEER_LOST, 7);
    lines->call_ended(7, CallRecord{}, true);
    lines->flush();
    EXPECT_EQ(read().is_in_doubt(Kind::kRegion, id(1)), is_copy) << "of a move the source's list tells what is left";
  }
}

TEST_F(EarlierRunTest, EveryBeginningOfAReportCanBeRead) {
  auto lines = open();
  lines->call_given(0, 0, kFrom[0], kTo[0], items_, {0, 1}, 0);
  lines->call_started(0, kJob);
  tell(*lines, 0, State::kArrived, GODWIT_OK, 0);
  tell(*lines, 1, State::kFailed, GODWIT_ERR_NO_SPACE, 0);
  lines->call_ended(0, CallRecord{}, false);
  ASSERT_TRUE(lines->finish());
  const std::string whole = text();
  for (size_t length = whole.find('\n') + 1; length <= whole.size(); ++length)
    EXPECT_EQ(error_of(whole.substr(0, length)), GODWIT_OK) << length << ": " << what_;
}

TEST_F(EarlierRunTest, AnotherVersionIsRefused) {
  EXPECT_EQ(error_of("{\"tool\":\"godwit-bulk\",\"report_version\":2}\n"), GODWIT_ERR_VERSION);
  EXPECT_NE(what_.find("a report of version 2"), std::string::npos) << what_;
  EXPECT_EQ(error_of("{\"tool\":\"godwit-bulk\"}\n"), GODWIT_ERR_VERSION);
}

TEST_F(EarlierRunTest, WhatIsNoReportIsRefused) {
  for (const char* lines : {"", "\n", "{}\n", "[1]\n", "nonsense\n", "{\"tool\":\"godwit-bench\",\"report_version\":1}\n"})
    EXPECT_EQ(error_of(lines), GODWIT_ERR_INVALID) << lines;
}

TEST_F(EarlierRunTest, ADamagedLineIsNamed) {
  const std::string header = "{\"tool\":\"godwit-bulk\",\"report_version\":1}\n";
  for (const char* line :
       {"x", "{}", "7", R"({"kind":"region","id":"7","name":"","state":"arrived"})",
        R"({"kind":"shoe","id":"00000000000000000000000000000001","name":"","state":"arrived"})",
        R"({"call":1,"source":"b","destination":"c","kind":"region","ids":"0","names":[]})", R"({"call":"x","open":false})"}) {
    EXPECT_EQ(error_of(header + line + "\n"), GODWIT_ERR_CORRUPT) << line;
    EXPECT_NE(what_.find("drain.json.items:2: "), std::string::npos) << what_;
  }
}

TEST_F(EarlierRunTest, TheNextReportCarriesWhatArrivedAndWhatIsInDoubt) {
  auto lines = open();
  tell(*lines, 0, State::kArrived, GODWIT_OK, 0);
  tell(*lines, 1, State::kFailed, GODWIT_ERR_EXISTS, 0);
  ASSERT_TRUE(lines->finish());
  EarlierRun run = read();
  run.settle_arrived(Kind::kRegion, id(2), "r2");
  run.settle_in_doubt(Kind::kRegion, id(2), "r2");  // By another call: it has arrived all the same.
  run.settle_in_doubt(Kind::kRegion, id(3), "r3");
  run.settled();
  RunLines next(path_, false, kFrom, kTo);
  std::ifstream before(path_);
  run.carry(before, next);
  next.begin();
  ASSERT_TRUE(next.finish());
  const EarlierRun third = read();
  EXPECT_EQ(third.arrived(), 2u);
  EXPECT_TRUE(third.has_arrived(Kind::kRegion, "r0"));
  EXPECT_TRUE(third.has_arrived(Kind::kRegion, "r2"));
  EXPECT_FALSE(third.is_in_doubt(Kind::kRegion, id(1)));
  EXPECT_FALSE(third.is_in_doubt(Kind::kRegion, id(2)));
  EXPECT_TRUE(third.is_in_doubt(Kind::kRegion, id(3))) << "of a move as well: nobody asks about it once more";
  EXPECT_NE(text().find(R"("id":"00000000000000100000000000000003","name":"r3","state":"in doubt","earlier":true})"),
            std::string::npos)
      << text();
}

TEST_F(EarlierRunTest, AReportThatIsNotBegunLeavesTheOldOneAlone) {
  auto lines = open();
  tell(*lines, 0, State::kArrived, GODWIT_OK, 0);
  ASSERT_TRUE(lines->finish());
  { RunLines never(path_, false, kFrom, kTo); }
  EXPECT_TRUE(read().has_arrived(Kind::kRegion, id(0)));
}

}  // namespace
}  // namespace godwit::bulk
