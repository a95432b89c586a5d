// Plays the matrix of faults (matrix.hpp) with real daemons, a cell a test: brings a migration to its step, lets the fault
// strike, heals it, and checks what became of it and what must hold after each of them.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <godwit/godwit.hpp>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "fault/matrix.hpp"
#include "support/bytes.hpp"
#include "support/daemon.hpp"
#include "support/proxy.hpp"
#include "support/waiting.hpp"

namespace godwit::test {

// GoogleTest shows it of a row that fails.
void PrintTo(const Cell& cell, std::ostream* out) { *out << name_of(cell); }

namespace {

using std::chrono::milliseconds;

constexpr uint64_t kBlockBytes = 256 << 10;
constexpr uint64_t kRegionBytes = (3 << 20) + 12'345;  // 13 blocks, the last one short.
// Longer than a peer's patience (fabric::HubSettings::peer_timeout).
constexpr milliseconds kSilence{6500};

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// What a node that has nothing to do holds.
struct Holdings {
  uint64_t registered_bytes = 0;
  std::set<std::string> files = {};  // Of its directory, but for its log, its events and SQLite's.

  bool operator==(const Holdings&) const = default;
};

Holdings holdings_of(const Daemon& daemon) {
  Holdings found;
  found.registered_bytes = nlohmann::json::parse(Client().doctor(daemon.address()))["registered_bytes"];
  for (const auto& entry : std::filesystem::recursive_directory_iterator(daemon.directory())) {
    const std::string path = entry.path().string().substr(daemon.directory().size() + 1);
    if (!path.starts_with("state/events/") && !path.ends_with("-wal")) found.files.insert(path);
  }
  return found;
}

std::ostream& operator<<(std::ostream& out, const Holdings& holdings) {
  out << holdings.registered_bytes << " bytes registered, files:";
  for (const std::string& file : holdings.files) out << " " << file;
  return out;
}

// Two nodes, a region, and a migration of it.
class FaultMatrix : public testing::TestWithParam<Cell> {
 protected:
  void SetUp() override {
    // Only migrations pass the steps.
    source_ = std::make_unique<Daemon>(options(is_step_of_source() ? at_step() : ""));
    destination_ = std::make_unique<Daemon>(options(is_step_of_source() ? "" : at_step()));
    if (needs_wire()) wire_ = std::make_unique<Proxy>(destination_->address());
    source_base_ = holdings_of(*source_);
    destination_base_ = holdings_of(*destination_);
    const Client client;
    const auto region = client.target(source_->address(), cell_.from).create(bytes_.data(), bytes_.size(), "field");
    id_ = region.id();
    used_bytes_ = used(*source_);
  }

  // ---------------------------------------------------------------- the way to the step

  DaemonOptions options(const std::string& fail) const {
    DaemonOptions made;
    made.environment = environment(fail);
    made.targets = {{"keep", "pmem", "16MiB"}, {"disk", "file", "16MiB"}};
    made.more = "\"resolve_interval_ms\": 50, \"connect_timeout_ms\": 2000, \"resume_timeout_ms\": 120000";
    // Journals that fail at a commit are told which one: without a step it is none of a checkpoint.
    const bool counts_commits = cell_.fault == Fault::kJournalFails && *cell_.step == '\0';
    made.more += counts_commits ? ", \"checkpoint_interval_ms\": 60000" : ", \"checkpoint_interval_ms\": 50";
    if (cell_.fault == Fault::kSlow) made.more += ", \"stall_timeout_ms\": 1000";
    return made;
  }
  bool needs_wire() const { return cell_.who == Who::kWire; }
  bool strikes(Who who) const { return cell_.who == who || cell_.who == Who::kBoth; }
  Daemon& victim() { return cell_.who == Who::kSource ? *source_ : *destination_; }
  const std::string& way() const { return wire_ ? wire_->address() : destination_->address(); }
  bool is_step_of_source() const { return std::string(cell_.step).starts_with("source."); }

  // A block's step: in the middle.
  std::string at_step() const {
    const std::string step = cell_.step;
    if (step.empty()) return step;
    return step + (step.ends_with(".block") ? "=PAUSE@5" : "=PAUSE@1");
  }

  void restart(Daemon& daemon, const std::string& fail = {}) {
    if (daemon.pid() > 0) daemon.terminate();
    daemon.set_environment(environment(fail));
    daemon.start();
  }
  std::vector<std::string> environment(const std::string& fail) const {
    if (fail.empty()) return {};
    return {"GODWIT_FAIL=" + fail, "GODWIT_FAIL_PAUSES=" + pauses_.path()};
  }

  // Until the job is at its step, or under way if it has none.
  void begin() {
    if (*cell_.fail != '\0') restart(victim(), cell_.fail);
    start_job();
    if (*cell_.step != '\0') {
      ASSERT_TRUE(comes_true([&] { return std::filesystem::exists(pause_file()); })) << "never came to its step\n" << logs();
    }
  }

  void start_job() {
    job_.clear();
    error_.clear();
    MigrateOptions wish;
    wish.block_bytes = kBlockBytes;
    wish.verify = cell_.verify;
    try {
      const Client client;
      job_ = client.start_migration(source_->address(), {id_}, client.target(way(), cell_.to), wish).id();
    } catch (const Error& error) {
      error_ = error.what();
    }
  }

  std::string pause_file() const { return pauses_.path() + "/" + cell_.step; }
  void leave_step() const {
    if (*cell_.step != '\0') std::filesystem::remove(pause_file());
  }

  // ---------------------------------------------------------------- what strikes

  void strike() {
    switch (cell_.fault) {  // No default: -Wswitch catches a new one.
      case Fault::kKill:
      case Fault::kKillTwice: return kill();
      case Fault::kFreeze: return freeze();
      case Fault::kCutToDestination:
      case Fault::kCutToSource:
      case Fault::kCutBothWays: return cut();
      case Fault::kSlow: return slow_down();
      case Fault::kFlipOnMedium: return flip_on_medium();
      case Fault::kJournalTorn:
      case Fault::kJournalFlipped:
      case Fault::kJournalMissing:
      case Fault::kAllOfJournalMissing: return damage_journal();
      case Fault::kNoDescriptors: return starve(RLIMIT_NOFILE);
      case Fault::kNoLockedMemory: return starve(RLIMIT_MEMLOCK);
      case Fault::kJournalFails: return await_failed_commit();
      case Fault::kNoSpace:
      case Fault::kReadFails:
      case Fault::kWriteFails:
      case Fault::kFlushFails:
      case Fault::kShortTransfers:
      case Fault::kFlipInBuffer:
      case Fault::kFlipAlways:
      case Fault::kRepeatedMessages:
      case Fault::kLateMessages: return;  // Fail points: they strike by themselves.
    }
  }

  void await_failure_if_it_stays() {
    if (cell_.outcome == Outcome::kStays) {
      ASSERT_TRUE(comes_true([&] { return look().ended; })) << logs();
    }
  }

  void kill() {
    if (strikes(Who::kSource)) source_->kill();
    if (strikes(Who::kDestination)) destination_->kill();
    leave_step();
    await_failure_if_it_stays();
    // The destination first: a job that has not begun yet tries once.
    if (strikes(Who::kDestination)) come_back(*destination_, "recovery.inbound");
    if (strikes(Who::kSource)) come_back(*source_, "recovery.outbound");
  }

  void come_back(Daemon& daemon, const std::string& in_recovery) {
    if (cell_.fault == Fault::kKillTwice) {
      EXPECT_THROW(restart(daemon, in_recovery + "=KILL"), std::runtime_error) << "did not die in its recovery\n"
                                                                               << daemon.log();
    }
    restart(daemon);
  }

  void freeze() {
    if (strikes(Who::kSource)) source_->freeze();
    if (strikes(Who::kDestination)) destination_->freeze();
    leave_step();
    std::this_thread::sleep_for(kSilence);
    if (!strikes(Who::kSource)) await_failure_if_it_stays();
    source_->thaw();
    destination_->thaw();
  }

  void cut() {
    if (cell_.fault != Fault::kCutToSource) wire_->cut_forth();
    if (cell_.fault != Fault::kCutToDestination) wire_->cut_back();
    leave_step();
    std::this_thread::sleep_for(kSilence);
    await_failure_if_it_stays();
    wire_->mend();
  }

  void slow_down() {
    wire_->limit(32 << 10);
    leave_step();
    EXPECT_TRUE(comes_true([&] { return source_->log().find(cell_.error) != std::string::npos; })) << logs();
    wire_->mend();
  }

  void flip_on_medium() {
    const std::string path = destination_->directory() + "/" + cell_.to + ".data";
    const size_t at = read_file(path).find(std::string(bytes_.data() + 2 * kRegionBytes / 3, 64));
    ASSERT_NE(at, std::string::npos);
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(static_cast<char>(bytes_[2 * kRegionBytes / 3] ^ 1));
    file.close();
    leave_step();
  }

  void damage_journal() {
    const std::string path = victim().directory() + "/state/journal.db";
    victim().kill();
    leave_step();
    if (cell_.fault == Fault::kJournalTorn) {
      std::ofstream(path + "-wal", std::ios::binary | std::ios::app) << std::string(2000, 'x');
      return restart(victim());
    }
    std::map<std::string, std::string> before;  // Of the journal and its log.
    for (const char* suffix : {"", "-wal"}) before[path + suffix] = read_file(path + suffix);
    if (cell_.fault == Fault::kJournalFlipped) {
      std::string flipped = before[path];
      const size_t place = flipped.rfind("CREATE TABLE");
      ASSERT_NE(place, std::string::npos);
      flipped[place + 3] = static_cast<char>(flipped[place + 3] ^ 1);
      write_file(path, flipped);
    } else {
      std::filesystem::remove(path);
      if (cell_.fault == Fault::kAllOfJournalMissing) std::filesystem::remove(path + "-wal");
    }
    EXPECT_THROW(restart(victim()), std::runtime_error) << "a damaged journal is served";
    EXPECT_NE(victim().log().find(cell_.error), std::string::npos) << victim().log();
    if (cell_.fault != Fault::kJournalFlipped) {
      EXPECT_FALSE(std::filesystem::exists(path));  // Nothing was made in its place.
    }
    for (const auto& [name, bytes] : before) write_file(name, bytes);
    restart(victim());
  }

  void await_failed_commit() {
    EXPECT_TRUE(comes_true([&] { return victim().log().find("GODWIT_FAIL: journal.commit") != std::string::npos; })) << logs();
    leave_step();
  }

  void starve(int what) {
    const auto resource = static_cast<__rlimit_resource>(what);
    rlimit before{};
    ASSERT_EQ(prlimit(victim().pid(), resource, nullptr, &before), 0);
    rlimit now{0, before.rlim_max};
    // As many as it has open: client_ is among them.
    if (what == RLIMIT_NOFILE) {
      (void)client_.jobs(victim().address());
      while (std::filesystem::is_symlink("/proc/" + std::to_string(victim().pid()) + "/fd/" + std::to_string(now.rlim_cur)))
        ++now.rlim_cur;
    }
    ASSERT_EQ(prlimit(victim().pid(), resource, &now, nullptr), 0);
    leave_step();
    await_failure_if_it_stays();
    if (cell_.outcome == Outcome::kArrives) expect_arrived();
    ASSERT_EQ(prlimit(victim().pid(), resource, &before, nullptr), 0);
  }

  // ---------------------------------------------------------------- what is seen

  struct Seen {
    bool ended = false;
    std::string phase, error;
  };
  // Of the job, at its source; the start's own error ends it, too. What cannot be reached is not seen.
  Seen look() {
    if (job_.empty()) return {true, "failed", error_};
    try {
      for (const JobInfo& info : client_.jobs(source_->address()))
        if (info.id == job_) return {info.ended != 0, info.progress.phase, info.error_text};
    } catch (const Error&) {
    }
    return {};
  }

  static uint64_t used(const Daemon& daemon) {
    uint64_t bytes = 0;
    for (const TargetInfo& target : Client().targets(daemon.address())) bytes += target.used_bytes;
    return bytes;
  }

  static bool lists(const Daemon& daemon, RegionId id) {
    const auto all = Client().regions(daemon.address());
    return std::any_of(all.begin(), all.end(),
                       [&](const RegionInfo& info) { return info.id.high == id.high && info.id.low == id.low; });
  }

  // Who comes to a node that is busy, or has just gone on, tries again.
  static bool is_so(const std::function<bool()>& what) {
    return comes_true([&] {
      try {
        return what();
      } catch (const Error&) {
        return false;
      }
    });
  }

  std::string logs() {
    const Seen seen = look();
    return "job: " + seen.phase + ", " + seen.error + "\nsource:\n" + source_->log() + "destination:\n" + destination_->log();
  }

  // What is acknowledged, at whatever time, must be there at the end.
  void write_if_possible() {
    ClientOptions how = GODWIT_CLIENT_OPTIONS_INIT;
    how.operation_timeout_ms = 500;
    const std::string text = "written meanwhile";
    const uint64_t offset = kRegionBytes / 2;
    try {
      Client(how).region(source_->address(), id_).write(offset, text.data(), text.size());
      std::copy(text.begin(), text.end(), bytes_.begin() + static_cast<ptrdiff_t>(offset));
    } catch (const Error&) {  // Whether it was performed, nobody has told.
      maybe_ = {offset, text};
    }
  }

  // ---------------------------------------------------------------- what must hold

  // One owner, its bytes, and nothing left anywhere.
  void expect_owner(Daemon& owner, Daemon& other, const std::string& target) {
    ASSERT_TRUE(is_so([&] { return lists(owner, id_) && !lists(other, id_); })) << logs();
    const Client client;
    for (const Daemon* asked : {&owner, &other}) {
      if (asked == &other && &owner == source_.get()) continue;  // It has never heard of it.
      const Region region = client.region(asked->address(), id_);
      std::vector<char> back(bytes_.size());
      region.read(0, back.data(), back.size());
      expect_bytes(back);
      EXPECT_EQ(std::string(region.info().target), target);
    }
    EXPECT_TRUE(is_so([&] { return used(owner) == used_bytes_ && used(other) == 0; }))
        << used(owner) << " and " << used(other) << " bytes are in use\n"
        << logs();
    for (Daemon* node : {&owner, &other}) {
      const Holdings& base = node == source_.get() ? source_base_ : destination_base_;
      EXPECT_TRUE(is_so([&] { return holdings_of(*node) == base; }))
          << (node == source_.get() ? "source: " : "destination: ") << holdings_of(*node) << "\nbefore: " << base << "\n"
          << logs();
    }
  }

  void expect_bytes(const std::vector<char>& back) const {
    auto expected = bytes_;
    if (!maybe_.second.empty() && back != expected)
      std::copy(maybe_.second.begin(), maybe_.second.end(), expected.begin() + static_cast<ptrdiff_t>(maybe_.first));
    EXPECT_TRUE(back == expected);
  }

  void expect_arrived() {
    // A job that is done may be forgotten by a restart.
    ASSERT_TRUE(is_so([&] { return lists(*destination_, id_) && !lists(*source_, id_); })) << logs();
    expect_owner(*destination_, *source_, cell_.to);
    EXPECT_TRUE(comes_true([&] {
      const std::string phase = look().phase;
      return phase.empty() || phase == "done";
    })) << logs();
  }

  // The job has failed, and says of what.
  void expect_refusal() {
    ASSERT_TRUE(comes_true([&] { return look().ended; })) << logs();
    const Seen seen = look();
    EXPECT_EQ(seen.phase, "failed") << logs();
    EXPECT_NE(seen.error.find(cell_.error), std::string::npos) << seen.error;
    EXPECT_FALSE(seen.error.empty());
  }

  void expect_failed() {
    ASSERT_NO_FATAL_FAILURE(expect_refusal());
    expect_owner(*source_, *destination_, cell_.from);
    Client().region(source_->address(), id_).write(0, bytes_.data(), 1);  // It accepts writes.
  }

  void expect_outcome() {
    switch (cell_.outcome) {  // No default: -Wswitch catches a new one.
      case Outcome::kArrives:
      case Outcome::kRefuses: expect_arrived(); break;
      case Outcome::kArrivesAfterRestart:
        ASSERT_TRUE(comes_true([&] { return look().error.find(cell_.error) != std::string::npos; })) << logs();
        EXPECT_FALSE(look().ended);
        restart(victim());
        expect_arrived();
        break;
      case Outcome::kKeepsSpaceUntilRestart:
        expect_refusal();
        EXPECT_EQ(used(*destination_), used_bytes_);
        restart(victim());
        expect_owner(*source_, *destination_, cell_.from);
        start_job();
        expect_arrived();
        break;
      case Outcome::kComesBack:
        expect_failed();
        restart(victim());
        expect_arrived();
        break;
      case Outcome::kStaysUntilRestart:
        expect_failed();
        start_job();
        expect_failed();
        [[fallthrough]];
      case Outcome::kStays:
        if (cell_.outcome == Outcome::kStays) expect_failed();
        if (*cell_.fail != '\0' && (cell_.outcome == Outcome::kStaysUntilRestart || cell_.fault == Fault::kFlipAlways))
          restart(victim());
        start_job();
        expect_arrived();
        break;
    }
  }

  // Nothing of it is in memory only.
  void expect_it_lasts() {
    for (Daemon* node : {source_.get(), destination_.get()}) {
      EXPECT_EQ(node->terminate(), 0) << node->log();
      node->set_environment({});
      node->start();
    }
    expect_owner(*destination_, *source_, cell_.to);
    // Nothing goes on that has ended; but the destination may have to hear of a release still.
    EXPECT_TRUE(is_so([&] {
      const auto jobs = Client().jobs(source_->address());
      return std::all_of(jobs.begin(), jobs.end(), [](const JobInfo& job) { return job.ended != 0; });
    })) << logs();
  }

  const Cell& cell_ = GetParam();
  const TemporaryDirectory pauses_;
  std::vector<char> bytes_ = random_chars(kRegionBytes);
  std::pair<uint64_t, std::string> maybe_;  // A write that may have been performed.
  std::unique_ptr<Daemon> source_, destination_;
  std::unique_ptr<Proxy> wire_;
  Client client_{[] {
    ClientOptions how = GODWIT_CLIENT_OPTIONS_INIT;
    how.connect_timeout_ms = 2000;
    return how;
  }()};
  Holdings source_base_, destination_base_;
  RegionId id_{};
  uint64_t used_bytes_ = 0;
  std::string job_, error_;
};

TEST_P(FaultMatrix, Cell) {
  ASSERT_NO_FATAL_FAILURE(begin());
  ASSERT_NO_FATAL_FAILURE(strike());
  if (cell_.outcome == Outcome::kArrives && *cell_.step != '\0') write_if_possible();
  ASSERT_NO_FATAL_FAILURE(expect_outcome());
  if (*cell_.fail != '\0') {
    const std::string point(cell_.fail, std::string(cell_.fail).find('='));
    EXPECT_NE(victim().log().find("GODWIT_FAIL: " + point), std::string::npos) << "the fault did not strike\n" << logs();
  }
  // Where one daemon is killed the other tells the same.
  const bool is_killed = cell_.fault == Fault::kKill || cell_.fault == Fault::kKillTwice;
  if (!is_killed || cell_.who == Who::kBoth) expect_it_lasts();
}

INSTANTIATE_TEST_SUITE_P(All, FaultMatrix, testing::ValuesIn(cells()), [](const auto& test) { return name_of(test.param); });

// The wire holds back what the destination reads; the job is cancelled, its space freed and given to another region. What was
// held back arrives then, and must not land in it.
TEST(LateRma, ReachesNoSpaceThatBelongsToAnother) {
  DaemonOptions how;
  how.targets = {{"keep", "pmem", "16MiB"}};
  how.more = "\"resolve_interval_ms\": 50, \"connect_timeout_ms\": 2000";
  const TemporaryDirectory pauses;
  how.environment = {"GODWIT_FAIL=source.block=PAUSE@5", "GODWIT_FAIL_PAUSES=" + pauses.path()};
  const Daemon source(how);
  how.environment = {};
  const Daemon destination(how);
  Proxy wire(destination.address());
  const Client client;
  const auto bytes = random_chars(kRegionBytes);
  const auto region = client.target(source.address(), "keep").create(bytes.data(), bytes.size());
  MigrateOptions wish;
  wish.block_bytes = kBlockBytes;
  wish.streams = 1;  // While it pauses nothing goes.
  const auto job = client.start_migration(source.address(), {region.id()}, client.target(wire.address(), "keep"), wish);
  ASSERT_TRUE(comes_true([&] { return std::filesystem::exists(pauses.path() + "/source.block"); }));
  wire.limit(256 << 10);  // So slow that a block is always half on its way, and that the last one is far off.
  std::filesystem::remove(pauses.path() + "/source.block");
  const auto sent = [&] { return nlohmann::json::parse(job.report())["blocks"].get<int>(); };
  const int before = sent();
  ASSERT_TRUE(comes_true([&] { return sent() > before; })) << source.log() << destination.log();
  wire.cut_forth();
  wire.cut_back();  // Nobody hears that the other has ended it.
  job.cancel();
  ASSERT_TRUE(comes_true([&] { return job.test(); })) << job.report() << source.log() << destination.log();
  const Target there = client.target(destination.address(), "keep");
  ASSERT_TRUE(comes_true([&] { return there.info().used_bytes == 0; })) << destination.log();
  const std::vector<char> other(kRegionBytes, 'o');
  const auto stays = there.create(other.data(), other.size(), "other");  // Where the first one was to be.
  wire.mend();
  // The wire is empty when another job has gone over it.
  region.migrate(client.target(wire.address(), "keep"));
  const auto holds = [](const Region& what, const std::vector<char>& expected) {
    std::vector<char> back(expected.size());
    what.read(0, back.data(), back.size());
    return back == expected;
  };
  EXPECT_TRUE(holds(stays, other));
  EXPECT_TRUE(holds(region, bytes));
}

// Deadlines and waits use the steady clock: a wall clock that is set back an hour concerns only what is for people.
TEST(WallClock, IsReadOnlyForPeople) {
  const std::set<std::string> for_people = {
      "core/engine/event_log.cpp",     // When an event was.
      "core/engine/job_schedule.cpp",  // Time windows.
      "core/engine/plan_table.cpp",    // When a plan was made.
      "core/objects/files/walk.cpp",   // Ages of files.
      "fabric/local_endpoints.cpp",    // Ages of files that nobody needs any more.
  };
  const std::vector<std::string> readings = {"system_clock",  "CLOCK_REALTIME", "gettimeofday",
                                             "time(nullptr)", "time(NULL)",     "high_resolution_clock"};
  std::set<std::string> found;
  int files = 0;
  for (const char* folder : {"core", "fabric", "pmem"})
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::string(GODWIT_SOURCE_DIR "/") + folder)) {
      const std::string path = entry.path().string().substr(sizeof GODWIT_SOURCE_DIR);
      if (entry.path().extension() != ".cpp" && entry.path().extension() != ".hpp") continue;
      ++files;
      const std::string text = read_file(entry.path());
      for (const std::string& reading : readings)
        if (text.find(reading) != std::string::npos) found.insert(path);
    }
  EXPECT_GT(files, 200);
  EXPECT_EQ(found, for_people);
}

// Phases, victims and faults: each has a cell, or one reason why it has none.
TEST(FaultTable, EveryGapHasItsReason) {
  for (const Fault fault : all_faults())
    for (const Phase phase : all_phases())
      for (const Who who : victims_of(fault)) {
        const auto is_it = [&](const Cell& cell) { return cell.fault == fault && cell.phase == phase && cell.who == who; };
        const auto is_why = [&](const NotPlayed& gap) {
          const auto names = [](const auto& list, const auto& one) { return std::ranges::find(list, one) != list.end(); };
          return names(gap.faults, fault) && names(gap.phases, phase) && names(gap.who, who);
        };
        EXPECT_EQ(std::ranges::count_if(not_played(), is_why), std::ranges::any_of(cells(), is_it) ? 0 : 1)
            << to_string(fault) << ", " << to_string(phase) << ", " << to_string(who);
      }
}

TEST(FaultTable, EveryTestThatItNamesIsThere) {
  std::map<std::string, std::string> files;
  for (const Elsewhere& row : elsewhere()) {
    const std::string path = std::string(GODWIT_SOURCE_DIR "/tests/") + std::string(row.file);
    if (!files.contains(path)) files[path] = read_file(path);
    EXPECT_NE(files[path].find(row.test), std::string::npos) << row.test << " is not in " << path;
  }
}

}  // namespace
}  // namespace godwit::test
