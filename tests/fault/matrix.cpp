#include "fault/matrix.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace godwit::test {
namespace {

struct Step {
  Phase phase;
  const char* name;
};

// Where a migration can be met, in the order in which it comes there.
constexpr std::array kSteps{
    Step{Phase::kPlanning, "source.planning"},
    Step{Phase::kPreSync, "source.before.offer"},
    Step{Phase::kPreSync, "destination.before.reserve"},
    Step{Phase::kPreSync, "destination.after.reserve"},
    Step{Phase::kPreSync, "source.after.offer"},
    Step{Phase::kSync, "source.block"},
    Step{Phase::kSync, "destination.block"},
    Step{Phase::kCutover, "source.before.send-prepare"},
    Step{Phase::kValidation, "verify.read"},
    Step{Phase::kCutover, "destination.before.journal-prepared"},
    Step{Phase::kCutover, "destination.after.journal-prepared"},
    Step{Phase::kCutover, "source.before.journal-hand-over"},
    Step{Phase::kDecided, "source.after.journal-hand-over"},
    Step{Phase::kDecided, "destination.before.journal-owner"},
    Step{Phase::kDecided, "destination.after.journal-owner"},
    Step{Phase::kDecided, "destination.after.serve"},
    Step{Phase::kCleanup, "source.before.journal-done"},
    Step{Phase::kCleanup, "source.after.journal-done"},
    Step{Phase::kCleanup, "source.after.free-objects"},
    Step{Phase::kCleanup, "destination.before.forget-job"},
    Step{Phase::kCleanup, "source.after.send-release"},
};

// A job goes on by itself once its destination has answered the first offer, or when its source's journal brings it back.
Outcome when_peer_is_lost(const Step& step, bool source_restarts) {
  const bool has_begun = step.phase != Phase::kPlanning && step.phase != Phase::kPreSync;
  return has_begun || source_restarts || std::string_view(step.name) == "source.after.offer" ? Outcome::kArrives
                                                                                             : Outcome::kStays;
}

bool is_one_of(const Step& step, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), step.name) != names.end();
}

Cell at(const Step& step, Who who, Fault fault, bool source_restarts) {
  Cell cell{step.phase, who, fault, when_peer_is_lost(step, source_restarts), step.name};
  cell.verify = step.phase == Phase::kValidation;
  if (cell.outcome == Outcome::kStays) cell.error = "tcp://";
  return cell;
}

// Either daemon at every step; both, and twice, where the journals say different things.
void add_kills(std::vector<Cell>& all) {
  for (const Step& step : kSteps) {
    const bool stands_for_others = is_one_of(
        step, {"source.planning", "source.after.offer", "source.block", "verify.read", "destination.after.journal-prepared",
               "source.after.journal-hand-over", "destination.after.journal-owner", "source.after.journal-done"});
    for (const Who who : {Who::kSource, Who::kDestination, Who::kBoth}) {
      if (who == Who::kBoth && !stands_for_others) continue;
      all.push_back(at(step, who, Fault::kKill, who != Who::kDestination));
      if (stands_for_others) all.push_back(at(step, who, Fault::kKillTwice, who != Who::kDestination));
    }
  }
}

// Each costs a peer's patience, 5 s: some steps stand for the others.
void add_silence(std::vector<Cell>& all) {
  for (const Step& step : kSteps) {
    const bool is_sync = is_one_of(step, {"source.block"});
    const bool has_one_way = is_sync || is_one_of(step, {"source.before.offer", "destination.after.journal-prepared",
                                                         "source.after.journal-hand-over"});
    if (!has_one_way && !is_one_of(step, {"verify.read", "destination.after.journal-owner", "source.after.journal-done"}))
      continue;
    for (const Who who : {Who::kSource, Who::kDestination}) all.push_back(at(step, who, Fault::kFreeze, false));
    if (is_sync) all.push_back(at(step, Who::kBoth, Fault::kFreeze, false));
    if (is_one_of(step, {"destination.after.journal-owner"})) continue;
    for (const Fault fault : {Fault::kCutToDestination, Fault::kCutToSource, Fault::kCutBothWays})
      if (has_one_way || fault == Fault::kCutBothWays) all.push_back(at(step, Who::kWire, fault, false));
  }
  Cell slow{Phase::kSync, Who::kWire, Fault::kSlow, Outcome::kArrives, "source.block"};
  slow.error = "finished no block";
  all.push_back(slow);
}

void add_media(std::vector<Cell>& all) {
  using enum Outcome;
  const auto add = [&](Phase phase, Who who, Fault fault, Outcome outcome, const char* from, const char* to, const char* fail,
                       const char* error = "", bool verify = false) {
    all.push_back({phase, who, fault, outcome, "", from, to, fail, error, verify});
  };
  add(Phase::kPreSync, Who::kDestination, Fault::kNoSpace, kStays, "keep", "disk", "pmem.fallocate=ENOSPC@1", "No space left");
  add(Phase::kSync, Who::kDestination, Fault::kNoSpace, kStays, "keep", "disk", "pmem.transfer=ENOSPC@3", "No space left");
  add(Phase::kSync, Who::kDestination, Fault::kWriteFails, kStays, "keep", "disk", "pmem.transfer=EIO@3", "Input/output error");
  add(Phase::kSync, Who::kSource, Fault::kReadFails, kStays, "disk", "keep", "pmem.transfer=EIO@3", "Input/output error");
  add(Phase::kValidation, Who::kDestination, Fault::kReadFails, kStays, "keep", "disk", "pmem.transfer=EIO@14",
      "Input/output error", true);
  add(Phase::kCutover, Who::kDestination, Fault::kFlushFails, kStaysUntilRestart, "keep", "keep", "pmem.persist=EIO@1",
      "unknown until it is opened again");
  add(Phase::kCutover, Who::kDestination, Fault::kFlushFails, kStaysUntilRestart, "keep", "disk", "pmem.persist=EIO@1",
      "unknown until it is opened again");
  add(Phase::kPlanning, Who::kSource, Fault::kJournalFails, kStaysUntilRestart, "keep", "keep", "journal.commit=EIO@1",
      "journal");
  add(Phase::kSync, Who::kSource, Fault::kJournalFails, kComesBack, "keep", "keep", "journal.commit=ENOSPC@2", "journal");
  add(Phase::kDecided, Who::kSource, Fault::kJournalFails, kArrivesAfterRestart, "keep", "keep", "journal.commit=EIO@3",
      "journal");
  add(Phase::kCleanup, Who::kSource, Fault::kJournalFails, kArrivesAfterRestart, "keep", "keep", "journal.commit=EIO@4",
      "journal");
  add(Phase::kValidation, Who::kDestination, Fault::kJournalFails, kKeepsSpaceUntilRestart, "keep", "keep",
      "journal.commit=EIO@1", "journal", true);
  add(Phase::kCutover, Who::kDestination, Fault::kJournalFails, kKeepsSpaceUntilRestart, "keep", "keep", "journal.commit=EIO@1",
      "journal");
  add(Phase::kDecided, Who::kDestination, Fault::kJournalFails, kArrivesAfterRestart, "keep", "keep", "journal.commit=EIO@2",
      "journal");
  add(Phase::kCleanup, Who::kDestination, Fault::kJournalFails, kArrives, "keep", "keep", "journal.commit=EIO@3");
  all.push_back({Phase::kSync, Who::kDestination, Fault::kJournalFails, kKeepsSpaceUntilRestart, "source.block", "keep", "keep",
                 "journal.commit=EIO@1", "journal"});
  add(Phase::kSync, Who::kSource, Fault::kShortTransfers, kArrives, "disk", "disk", "pmem.short_transfer=EIO");
  add(Phase::kSync, Who::kDestination, Fault::kShortTransfers, kArrives, "disk", "disk", "pmem.short_transfer=EIO");
  // A block that arrives damaged goes again.
  add(Phase::kSync, Who::kSource, Fault::kFlipInBuffer, kArrives, "disk", "keep", "source.staging=EIO@2");
  add(Phase::kSync, Who::kDestination, Fault::kFlipInBuffer, kArrives, "keep", "keep", "sink.wire=EIO@2");
  add(Phase::kSync, Who::kDestination, Fault::kFlipInBuffer, kArrives, "keep", "disk", "sink.wire=EIO@2");
  add(Phase::kSync, Who::kDestination, Fault::kFlipAlways, kStays, "keep", "keep", "sink.wire=EIO", "tcp://");
  add(Phase::kSync, Who::kSource, Fault::kFlipAlways, kStays, "disk", "keep", "source.staging=EIO", "tcp://");
  add(Phase::kValidation, Who::kDestination, Fault::kFlipInBuffer, kStays, "keep", "disk", "sink.staging=EIO@2",
      "differs from what was sent", true);
}

void add_others(std::vector<Cell>& all) {
  using enum Outcome;
  const auto add = [&](Phase phase, Who who, Fault fault, Outcome outcome, const char* step, const char* fail = "",
                       const char* error = "") {
    all.push_back({phase, who, fault, outcome, step, "keep", "keep", fail, error});
  };
  all.push_back({Phase::kValidation, Who::kDestination, Fault::kFlipOnMedium, kStays, "verify.read", "keep", "disk", "",
                 "differs from what was sent", true});
  add(Phase::kDecided, Who::kSource, Fault::kRepeatedMessages, kArrives, "", "source.message.again=EIO");
  add(Phase::kDecided, Who::kDestination, Fault::kRepeatedMessages, kArrives, "", "destination.answer.again=EIO");
  add(Phase::kDecided, Who::kSource, Fault::kLateMessages, kArrives, "", "source.message.stale=EIO");
  add(Phase::kSync, Who::kSource, Fault::kJournalTorn, kArrives, "source.block");
  add(Phase::kSync, Who::kDestination, Fault::kJournalTorn, kArrives, "source.block");
  add(Phase::kCutover, Who::kDestination, Fault::kJournalTorn, kArrives, "destination.after.journal-prepared");
  add(Phase::kDecided, Who::kSource, Fault::kJournalTorn, kArrives, "source.after.journal-hand-over");
  add(Phase::kDecided, Who::kDestination, Fault::kJournalTorn, kArrives, "destination.after.journal-owner");
  for (const Fault fault : {Fault::kJournalFlipped, Fault::kJournalMissing}) {
    const char* why = fault == Fault::kJournalMissing ? "is missing" : "restore the state directory";
    add(Phase::kSync, Who::kSource, fault, kRefuses, "source.block", "", why);
    add(Phase::kSync, Who::kDestination, fault, kRefuses, "source.block", "", why);
    add(Phase::kDecided, Who::kSource, fault, kRefuses, "source.after.journal-hand-over", "", why);
    add(Phase::kDecided, Who::kDestination, fault, kRefuses, "destination.after.journal-owner", "", why);
  }
  add(Phase::kSync, Who::kSource, Fault::kAllOfJournalMissing, kRefuses, "source.block", "", "is missing");
  add(Phase::kSync, Who::kDestination, Fault::kAllOfJournalMissing, kRefuses, "source.block", "", "is missing");
  add(Phase::kPlanning, Who::kSource, Fault::kNoDescriptors, kStays, "source.planning", "", "open files");
  add(Phase::kPlanning, Who::kDestination, Fault::kNoDescriptors, kStays, "source.planning", "", "tcp://");
  add(Phase::kPlanning, Who::kSource, Fault::kNoLockedMemory, kArrives, "source.planning");
  add(Phase::kPlanning, Who::kDestination, Fault::kNoLockedMemory, kArrives, "source.planning");
}

}  // namespace

const std::vector<Cell>& cells() {
  static const std::vector<Cell> all = [] {
    std::vector<Cell> made;
    add_kills(made);
    add_silence(made);
    add_media(made);
    add_others(made);
    return made;
  }();
  return all;
}

const std::vector<Elsewhere>& elsewhere() {
  constexpr std::string_view kOneOwner = "one owner, all bytes, no space or file left";
  constexpr std::string_view kFails = "the job fails and names the peer; the source serves; the next try arrives";
  static const std::vector<Elsewhere> all{
      {"every step", "source", "kill -9, files", kOneOwner, "files/files_faults_test.py", "test_the_source_dies_at_every_step"},
      {"every step", "destination", "kill -9, files", kOneOwner, "files/files_faults_test.py",
       "test_the_destination_dies_at_every_step"},
      {"sync", "source", "kill -9, files, jobs that resume", "the job goes on, and what has arrived is not sent again",
       "fault/resume_files_test.cpp", "ResumeFiles, AfterTheSourceWasKilled"},
      {"sync", "destination", "kill -9, files, jobs that resume", "the job goes on and keeps what had arrived",
       "fault/resume_files_test.cpp", "ResumeFiles, AfterTheDestinationWasKilled"},
      {"sync", "destination", "stopped for longer than the deadline, files, jobs that resume",
       "the job goes on, and what has arrived is not sent again", "fault/resume_files_test.cpp",
       "ResumeFiles, AfterTheDestinationWasFrozenForTooLong"},
      {"sync", "destination", "kill -9, files", kOneOwner, "files/files_faults_test.py",
       "test_the_destination_is_killed_in_the_middle"},
      {"sync", "source", "kill -9, files", kOneOwner, "files/files_faults_test.py", "test_the_source_is_killed_in_the_middle"},
      {"cutover, cleanup", "source, destination", "kill -9, databases", kOneOwner, "capi/database_migration_test.cpp",
       "OneOwnerWithAllKeysAfterTheRestart"},
      {"every step", "source, destination", "kill -9, regions that do not resume", kOneOwner, "fault/kill_test.cpp",
       "OneOwnerWithAllBytesAfterTheRestart"},
      {"cutover", "source", "kill -9, region in memory", "the destination adopts it", "fault/kill_test.cpp",
       "ADramSourceThatDiesAfterPreparingIsAdoptedByTheDestination"},
      {"cutover", "destination", "kill -9, region in memory", "the source takes it back", "fault/kill_test.cpp",
       "ADestinationThatLosesItsDramCopyBeforeItOwnsGivesTheRegionBack"},
      {"sync", "source, destination", "kill -9 or SIGTERM", "the job goes on; what a checkpoint has is not sent again",
       "fault/resume_test.cpp", "Resume, AfterEachWasStoppedAndNothingIsSentTwice"},
      {"sync", "destination", "a peer that never comes back", "given up after resume_timeout_ms, and named",
       "fault/resume_test.cpp", "APeerThatNeverComesBackIsGivenUp"},
      {"sync", "destination", "SIGSTOP, jobs that do not resume", kFails, "hosts/hosts_test.py",
       "test_a_destination_that_stops_beyond_the_deadline"},
      {"sync", "source", "SIGSTOP, jobs that do not resume", kFails, "hosts/hosts_test.py",
       "test_a_source_that_stops_beyond_the_deadline"},
      {"sync", "destination", "SIGSTOP, files", "the job fails; nothing is left", "files/files_faults_test.py",
       "test_a_destination_that_stands_still_ends_the_job"},
      {"sync", "wire", "cut, all connections of a host, then healed", kFails, "hosts/hosts_test.py",
       "test_a_wire_cut_and_mended"},
      {"sync", "wire", "cut one way, from the source", kFails, "hosts/hosts_test.py", "test_a_wire_cut_from_the_source"},
      {"sync", "wire", "cut one way, towards the source", kFails, "hosts/hosts_test.py", "test_a_wire_cut_towards_the_source"},
      {"sync", "wire", "cut for less than a deadline", "bridged", "hosts/hosts_test.py", "test_a_short_cut_is_bridged"},
      {"any moment", "wire", "cut, healed before or after the deadline", kOneOwner, "hosts/hosts_test.py",
       "test_cut_at_any_moment_it_has_one_owner"},
      {"sync", "wire", "slow peer beside a quick one", "the quick one is not held up", "hosts/hosts_test.py",
       "test_a_slow_peer_holds_up_nobody_else"},
      {"sync", "destination", "ENOSPC and EDQUOT, files", "the job fails and says so; nothing is left",
       "files/files_faults_test.py", "test_a_disk_or_quota_that_is_full_in_the_middle"},
      {"sync", "destination", "a file system that is full, files", "the job fails and says so; nothing is left",
       "files/files_faults_test.py", "test_a_small_file_system_fills_up"},
      {"cutover", "destination", "EIO on fsync, files", "the job fails; nothing is taken for written",
       "files/files_faults_test.py", "test_flush_failures_are_never_taken_for_success"},
      {"any", "any", "EIO on msync or fdatasync of a target", "every later flush fails until the pool is opened again",
       "unit/pmem/persist_test.cpp", "pmem.persist"},
      {"any", "any", "EIO on the journal's commit", "every later write fails until the journal is opened again",
       "unit/journal/journal_test.cpp", "FailedCommitStopsAllWritesUntilReopened"},
      {"any", "any", "short reads and writes, EAGAIN, EINTR", "gone on with", "unit/pmem/io_queue_test.cpp",
       "pmem.short_transfer"},
      {"sync", "source", "bit flip in every buffer, over shm too", "the job fails, or the block goes again",
       "fault/failure_test.cpp", "BlocksThatAlwaysArriveDamaged"},
      {"sync", "wire", "bit flip in a compressed block", "the block goes again", "fault/failure_test.cpp",
       "ACompressedBlockThatArrivesDamagedOnceGoesAgain"},
      {"between two attempts", "destination", "bit flip on the medium", "the block goes again", "fault/resume_test.cpp",
       "WhatTheMediumLostIsSentAgain"},
      {"every step", "wire", "messages lost, doubled, late, reordered; crashes between any two actions", kOneOwner,
       "unit/model/cutover_simulator_test.cpp", "PromisesHoldOnEverySeed"},
      {"sync", "wire", "RMA that lands after an abort", "it reaches no space that belongs to another", "fault/matrix_test.cpp",
       "LateRma, ReachesNoSpaceThatBelongsToAnother"},
      {"in doubt", "source", "SIGSTOP of the source of many jobs", "jobs of other sources end meanwhile",
       "fault/resolver_test.cpp", "APeerThatIsSilentDoesNotHoldUpTheJobsOfOthers"},
      {"sync", "both", "wall clock set back an hour, then ahead again", "the job goes on", "vm/guest_test.py",
       "test_set_back_an_hour_and_ahead_again"},
      {"any", "any", "wall clock set back an hour", "nothing: no deadline reads it", "fault/matrix_test.cpp",
       "WallClock, IsReadOnlyForPeople"},
      {"any", "source", "wall clock set ahead, in a time window", "the job is paused when its window ends",
       "capi/steering_test.cpp", "AJobSendsOnlyInItsTimeWindowUntilItIsToldToGoOn"},
      {"any", "any", "bit flip anywhere in the journal", "found, or harmless", "unit/journal/journal_damage_test.cpp",
       "FlippedBitIsFoundOrHarmless"},
      {"any", "any", "journal cut at any length", "refused", "unit/journal/journal_damage_test.cpp",
       "TruncatedFileIsRefusedAtEveryLength"},
      {"any", "any", "kill -9 in the middle of a commit", "what was acknowledged is there",
       "unit/journal/journal_crash_test.cpp", "KilledInTheMiddleKeepsWhatItAcknowledged"},
  };
  return all;
}

std::string_view to_string(Phase phase) {
  switch (phase) {  // No default: -Wswitch catches a new one.
    case Phase::kPlanning: return "planning";
    case Phase::kPreSync: return "pre-sync";
    case Phase::kSync: return "sync";
    case Phase::kValidation: return "validation";
    case Phase::kCutover: return "cutover, undecided";
    case Phase::kDecided: return "cutover, decided";
    case Phase::kCleanup: return "cleanup";
  }
  return "";
}

std::string_view to_string(Who who) {
  switch (who) {  // No default: -Wswitch catches a new one.
    case Who::kSource: return "source";
    case Who::kDestination: return "destination";
    case Who::kBoth: return "both";
    case Who::kWire: return "wire";
  }
  return "";
}

std::string_view to_string(Fault fault) {
  switch (fault) {  // No default: -Wswitch catches a new one.
    case Fault::kKill: return "kill -9";
    case Fault::kKillTwice: return "kill -9, and again during the recovery";
    case Fault::kFreeze: return "SIGSTOP for longer than the deadline";
    case Fault::kCutToDestination: return "link cut towards the destination, then healed";
    case Fault::kCutToSource: return "link cut towards the source, then healed";
    case Fault::kCutBothWays: return "link cut both ways, then healed";
    case Fault::kSlow: return "slow peer";
    case Fault::kNoSpace: return "ENOSPC";
    case Fault::kReadFails: return "EIO on read";
    case Fault::kWriteFails: return "EIO on write";
    case Fault::kFlushFails: return "EIO on msync or fdatasync";
    case Fault::kJournalFails: return "EIO or ENOSPC on the journal's commit";
    case Fault::kShortTransfers: return "short reads and writes";
    case Fault::kFlipInBuffer: return "bit flip in a buffer";
    case Fault::kFlipAlways: return "bit flip in every block";
    case Fault::kFlipOnMedium: return "bit flip on the medium";
    case Fault::kRepeatedMessages: return "control messages that come twice";
    case Fault::kLateMessages: return "control messages that come again after the next one";
    case Fault::kJournalTorn: return "kill -9 with a torn journal tail";
    case Fault::kJournalFlipped: return "bit flip in the journal";
    case Fault::kJournalMissing: return "journal missing beside its log";
    case Fault::kAllOfJournalMissing: return "journal missing, pool there";
    case Fault::kNoDescriptors: return "no file descriptors left";
    case Fault::kNoLockedMemory: return "memlock limit 0";
  }
  return "";
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {  // No default: -Wswitch catches a new one.
    case Outcome::kArrives: return "the job goes on by itself and ends done; the destination serves";
    case Outcome::kArrivesAfterRestart:
      return "the job waits and says why; after a restart of the daemon that failed it ends done; the destination serves";
    case Outcome::kStays: return "the job fails and says why; the source serves; the next try arrives";
    case Outcome::kKeepsSpaceUntilRestart:
      return "the job fails and says why; the source serves; the destination keeps the space, which its journal may claim, "
             "until it "
             "is restarted; then the next try arrives";
    case Outcome::kComesBack:
      return "the job fails and says why; the source serves; what the journal knows of the job could not be taken back: after "
             "a "
             "restart of the source it goes on by itself and ends done";
    case Outcome::kStaysUntilRestart:
      return "the job fails and says why; the source serves; every try fails until the daemon that failed is restarted, then "
             "it "
             "arrives";
    case Outcome::kRefuses:
      return "the daemon refuses to start and says why; restored, it starts, and the job goes on and ends done";
  }
  return "";
}

namespace {

// "destination.after.journal-owner" as DestinationAfterJournalOwner.
std::string in_camel_case(std::string_view text) {
  std::string name;
  bool begins = true;
  for (const char c : text) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (is_letter) name += begins && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    begins = !is_letter;
  }
  return name;
}

std::string_view short_name(Fault fault) {
  switch (fault) {  // No default: -Wswitch catches a new one.
    case Fault::kKill: return "Kill";
    case Fault::kKillTwice: return "KillTwice";
    case Fault::kFreeze: return "Freeze";
    case Fault::kCutToDestination: return "CutToDestination";
    case Fault::kCutToSource: return "CutToSource";
    case Fault::kCutBothWays: return "CutBothWays";
    case Fault::kSlow: return "Slow";
    case Fault::kNoSpace: return "NoSpace";
    case Fault::kReadFails: return "ReadFails";
    case Fault::kWriteFails: return "WriteFails";
    case Fault::kFlushFails: return "FlushFails";
    case Fault::kJournalFails: return "JournalFails";
    case Fault::kShortTransfers: return "ShortTransfers";
    case Fault::kFlipInBuffer: return "FlipInBuffer";
    case Fault::kFlipAlways: return "FlipAlways";
    case Fault::kFlipOnMedium: return "FlipOnMedium";
    case Fault::kRepeatedMessages: return "RepeatedMessages";
    case Fault::kLateMessages: return "LateMessages";
    case Fault::kJournalTorn: return "JournalTorn";
    case Fault::kJournalFlipped: return "JournalFlipped";
    case Fault::kJournalMissing: return "JournalMissing";
    case Fault::kAllOfJournalMissing: return "AllOfJournalMissing";
    case Fault::kNoDescriptors: return "NoDescriptors";
    case Fault::kNoLockedMemory: return "NoLockedMemory";
  }
  return "";
}

}  // namespace

std::string name_of(const Cell& cell) {
  std::string name = in_camel_case(to_string(cell.phase)) + "_" + in_camel_case(to_string(cell.who)) + "_";
  name += short_name(cell.fault);
  if (*cell.step != '\0') name += "_" + in_camel_case(cell.step);
  if (*cell.fail != '\0') name += "_" + in_camel_case(cell.fail) + "_" + in_camel_case(cell.to);
  return name;
}

}  // namespace godwit::test
