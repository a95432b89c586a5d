#include "engine/event_log.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>

#include "base/fail_point.hpp"

namespace godwit::engine {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr uint64_t kAll = UINT64_MAX;

class EventLogTest : public testing::Test {
 protected:
  EventLogTest() {
    std::string name = (fs::temp_directory_path() / "godwit-events.XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    top_ = name;
  }
  ~EventLogTest() override {
    clear_fail_points();
    fs::remove_all(top_);
  }

  std::string directory() const { return (top_ / "events").string(); }
  fs::path file(const Id& job) const { return top_ / "events" / (to_string(job) + ".jsonl"); }
  static std::vector<json> parse(const std::string& lines) {
    std::vector<json> events;
    std::istringstream text(lines);
    for (std::string line; std::getline(text, line);) events.push_back(json::parse(line));
    return events;
  }
  static std::vector<json> events(EventLog& log, const Id& job) {
    const auto page = log.read(job, 0, kAll);
    if (!page) return {json(page.error().text)};
    const auto all = parse(page->lines);
    EXPECT_EQ(page->total, all.size());
    return all;
  }
  static std::vector<std::string> names(EventLog& log, const Id& job) {
    std::vector<std::string> all;
    for (const json& event : events(log, job)) all.push_back(event.value("event", "?"));
    return all;
  }
  std::string text_of(const Id& job) const {
    std::ifstream stream(file(job));
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  const Id job_{1, 2};
  fs::path top_;
};

TEST_F(EventLogTest, EventsAreReadInTheOrderInWhichTheyWereNoted) {
  EventLog log(directory());
  for (uint64_t i = 0; i < 1000; ++i) log.note(job_, "step", {{"number", i}, {"text", "\"a\"\n\xff"}});
  const auto all = events(log, job_);
  ASSERT_EQ(all.size(), 1000u);
  std::string before;
  for (uint64_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i]["number"], i);
    EXPECT_EQ(all[i]["text"], "\"a\"\n\xEF\xBF\xBD");
    const std::string time = all[i]["time"];
    EXPECT_TRUE(std::regex_match(time, std::regex(R"(20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d\d\dZ)"))) << time;
    EXPECT_LE(before, time);
    before = time;
  }
}

TEST_F(EventLogTest, ThreadsLoseNothingAndAJobReadsOnlyItsOwn) {
  EventLog log(directory());
  {
    std::vector<std::jthread> threads;
    for (uint64_t i = 0; i < 4; ++i)
      threads.emplace_back([&, i] {
        for (uint64_t n = 0; n < 500; ++n) log.note(Id{i % 2, 7}, "step", {{"thread", i}, {"number", n}});
      });
  }
  for (uint64_t job = 0; job < 2; ++job) {
    std::map<uint64_t, uint64_t> next;
    for (const json& event : events(log, Id{job, 7})) EXPECT_EQ(event["number"], next[event["thread"]]++);
    EXPECT_EQ(next, (std::map<uint64_t, uint64_t>{{job, 500}, {job + 2, 500}}));
  }
}

TEST_F(EventLogTest, PagesTogetherAreTheWholeAndEachMakesProgress) {
  EventLog log(directory());
  for (uint64_t i = 0; i < 50; ++i) log.note(job_, "step", {{"number", i}});
  const std::string whole = log.read(job_, 0, kAll)->lines;
  for (const uint64_t bytes_max : {uint64_t{0}, uint64_t{1}, uint64_t{200}, uint64_t{100'000}}) {
    std::string all;
    for (uint64_t first = 0; first < 50;) {
      const auto page = log.read(job_, first, bytes_max);
      ASSERT_TRUE(page);
      const auto lines = parse(page->lines).size();
      ASSERT_GT(lines, 0u);
      EXPECT_TRUE(lines == 1 || page->lines.size() <= bytes_max);
      EXPECT_EQ(page->total, 50u);
      first += lines;
      all += page->lines;
    }
    EXPECT_EQ(all, whole);
  }
  EXPECT_EQ(log.read(job_, 50, kAll)->lines, "");
  EXPECT_EQ(log.read(Id{9, 9}, 0, kAll).error().code, Errc::kNotFound);
}

TEST_F(EventLogTest, ARestartGoesOnInTheSameFileAndALineCutShortGoes) {
  {
    EventLog log(directory());
    log.note(job_, "queued");
  }
  std::ofstream(file(job_), std::ios::app) << R"({"time":"2026-01-01T00:00:00.000Z","event":"pha)";
  EventLog log(directory());
  EXPECT_EQ(names(log, job_), (std::vector<std::string>{"queued"}));
  log.note(job_, "recovered");
  log.note_end(job_, {{"phase", "done"}});
  EXPECT_EQ(names(log, job_), (std::vector<std::string>{"queued", "recovered", "ended"}));
  EXPECT_EQ(text_of(job_).find("pha\""), std::string::npos);
}

TEST_F(EventLogTest, AFileThatIsOnlyAPartOfALineBeginsAnew) {
  fs::create_directories(directory());
  std::ofstream(file(job_)) << R"({"time")";
  EventLog log(directory());
  EXPECT_EQ(names(log, job_), std::vector<std::string>{});
  log.note(job_, "queued");
  EXPECT_EQ(names(log, job_), (std::vector<std::string>{"queued"}));
}

TEST_F(EventLogTest, WhatHadNoEndIsEndedAtTheNextStartButNotWhatIsKnown) {
  const Id ended{3, 1}, cut{3, 2}, known{3, 3};
  {
    EventLog log(directory());
    for (const Id& job : {ended, cut, known}) log.note(job, "queued", {{"cause", R"(no ","event":"ended" yet)"}});
    log.note_end(ended);
  }
  for (int start = 0; start < 2; ++start) {
    EventLog log(directory());
    log.end_cut_short([&](const Id& job) { return job == known; });
    EXPECT_EQ(names(log, ended), (std::vector<std::string>{"queued", "ended"}));
    EXPECT_EQ(names(log, cut), (std::vector<std::string>{"queued", "ended"}));
    EXPECT_EQ(names(log, known), (std::vector<std::string>{"queued"}));
    EXPECT_NE(events(log, cut).back()["cause"], "");
  }
}

TEST_F(EventLogTest, AJobWithTooManyEventsSaysSoAndStillEnds) {
  EventLog log(directory());
  for (uint64_t i = 0; i < EventLog::kEventsMax + 500; ++i) {
    log.note(job_, "limited");
    if (i % 1000 == 0) (void)log.read(job_, 0, 0);  // The disk is not that far behind.
  }
  log.note_end(job_);
  const auto all = names(log, job_);
  ASSERT_EQ(all.size(), EventLog::kEventsMax + 1);
  EXPECT_EQ(all[EventLog::kEventsMax - 2], "limited");
  EXPECT_EQ(all[EventLog::kEventsMax - 1], "more");
  EXPECT_EQ(all.back(), "ended");
}

TEST_F(EventLogTest, LongTextsAreCut) {
  EventLog log(directory());
  log.note(job_, "object-refused", {{"cause", std::string(1'000'000, 'x')}});
  EXPECT_EQ(events(log, job_).at(0)["cause"].get<std::string>(), std::string(4096, 'x'));
}

TEST_F(EventLogTest, TheOldestFilesGoButNeverThatOfAJobThatHasNotEnded) {
  EventLog log(directory());
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  const auto note = [&](uint64_t number, bool ends) {
    const Id job{number, 0};
    log.note(job, "queued");
    if (ends) log.note_end(job);
    (void)log.read(job, 0, 0);
    fs::last_write_time(file(job), old + std::chrono::seconds(number));
  };
  note(0, false);
  for (uint64_t number = 1; number < EventLog::kFilesMax; ++number) note(number, true);
  fs::copy_file(file(Id{1, 0}), top_ / "events" / "README");  // Not one of ours.
  EXPECT_TRUE(fs::exists(file(Id{1, 0})));
  for (uint64_t number = EventLog::kFilesMax; number < EventLog::kFilesMax + 3; ++number) {
    const Id job{number, 0};
    log.note_end(job);
    (void)log.read(job, 0, 0);
  }
  EXPECT_TRUE(fs::exists(file(Id{0, 0}))) << "it has not ended";
  for (uint64_t number = 1; number <= 3; ++number) EXPECT_FALSE(fs::exists(file(Id{number, 0}))) << number;
  EXPECT_TRUE(fs::exists(file(Id{4, 0})));
  EXPECT_TRUE(fs::exists(file(Id{EventLog::kFilesMax + 2, 0})));
  EXPECT_EQ(static_cast<uint64_t>(std::distance(fs::directory_iterator(directory()), {})), EventLog::kFilesMax + 1);
}

TEST_F(EventLogTest, AFullDiskLosesEventsAndLeavesWholeLines) {
  EventLog log(directory());
  log.note(job_, "queued");
  EXPECT_EQ(names(log, job_), (std::vector<std::string>{"queued"}));
  set_fail_point("events.write", ENOSPC);
  log.note(job_, "lost");
  EXPECT_EQ(names(log, job_), (std::vector<std::string>{"queued"}));
  EXPECT_EQ(text_of(job_).back(), '\n');
  clear_fail_points();
  log.note_end(job_);
  EXPECT_EQ(names(log, job_), (std::vector<std::string>{"queued", "ended"}));
}

TEST_F(EventLogTest, ADeviceThatIsFullHarmsNothing) {
  EventLog log(directory());
  fs::create_symlink("/dev/full", file(job_));
  log.note(job_, "queued");
  log.note_end(job_);
  log.note(Id{5, 5}, "queued");
  EXPECT_EQ(names(log, (Id{5, 5})), (std::vector<std::string>{"queued"}));
  fs::remove(file(job_));
}

TEST_F(EventLogTest, WithoutADirectoryNothingIsKept) {
  std::ofstream(top_ / "file") << "x";
  EventLog log((top_ / "file" / "events").string());
  log.note(job_, "queued");
  log.note_end(job_);
  log.end_cut_short([](const Id&) { return false; });
  EXPECT_FALSE(log.read(job_, 0, kAll));
}

}  // namespace
}  // namespace godwit::engine
