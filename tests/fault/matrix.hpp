// The matrix of faults, as data: what is done to a migration, where and when, and what must become of it.
// matrix_test.cpp plays each row with real daemons; matrix_table.cpp prints them as docs/reference/faults.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace godwit::test {

enum class Phase { kPlanning, kPreSync, kSync, kValidation, kCutover, kDecided, kCleanup };
enum class Who { kSource, kDestination, kBoth, kWire };

enum class Fault {
  kKill,                 // kill -9
  kKillTwice,            // kill -9, and again in the middle of the recovery
  kFreeze,               // SIGSTOP for longer than a peer's patience
  kCutToDestination,     // what the source sends does not arrive
  kCutToSource,          // what the destination sends does not arrive
  kCutBothWays,          //
  kSlow,                 // the wire carries less than a block within the stall timeout
  kNoSpace,              //
  kReadFails,            // EIO
  kWriteFails,           // EIO
  kFlushFails,           // EIO of msync or fdatasync
  kJournalFails,         // EIO or ENOSPC of the journal's commit
  kShortTransfers,       // every read and write moves less than it was asked for
  kFlipInBuffer,         // a bit flips after the source has made the block's digest, or before the destination looks at it
  kFlipAlways,           // in every block
  kFlipOnMedium,         // a bit flips on the destination's medium
  kRepeatedMessages,     // every message of the cutover comes twice
  kLateMessages,         // every message of the cutover comes again, after the next one
  kJournalTorn,          // kill -9, and half a frame at the end of the journal's log
  kJournalFlipped,       // a bit of the journal flips while the daemon is down
  kJournalMissing,       // the journal is gone, its log is there
  kAllOfJournalMissing,  // state_dir is empty, the pool is there
  kNoDescriptors,        // no more files can be opened
  kNoLockedMemory,       // RLIMIT_MEMLOCK is 0
};

// Who owns the object at the end, and how. Everybody's invariants hold besides: one owner, every acknowledged byte, no space,
// registered memory or file left, and the journal opens again.
enum class Outcome {
  kArrives,                 // by itself, once what failed is back: the destination serves
  kArrivesAfterRestart,     // the same, once the daemon whose journal failed was restarted
  kStays,                   // the job fails and says why; the source serves, and the next try arrives
  kStaysUntilRestart,       // the same, but no try arrives before the daemon that failed was restarted
  kKeepsSpaceUntilRestart,  // the same, and the destination's space, which its journal may claim, is in use until then
  kComesBack,               // the job fails and says why; the source serves; once the source was restarted the job goes on
  kRefuses,                 // the daemon does not start, and says why; once it is restored the job goes on and arrives
};

struct Cell {
  Phase phase;
  Who who;
  Fault fault;
  Outcome outcome;
  // The step at which the fault strikes: a fail point (base/fail_point.hpp), reached by the source or by the destination.
  const char* step = "";
  const char* from = "keep";  // Targets: "fast" is DRAM, "keep" persistent memory, "disk" a file.
  const char* to = "keep";
  const char* fail = "";   // What GODWIT_FAIL says at the daemon that fails, where the fault is one of its fail points.
  const char* error = "";  // In the job's error text, or in the log of the daemon that refuses.
  bool verify = false;
};

// A fault that another test plays.
struct Elsewhere {
  std::string_view phase, who, fault, becomes;
  std::string_view file;  // Below tests/.
  std::string_view test;  // Its name there, as written in the file.
};

const std::vector<Cell>& cells();
const std::vector<Elsewhere>& elsewhere();
// Why these faults strike these victims in no cell of these phases.
struct NotPlayed {
  std::vector<Fault> faults;
  std::vector<Phase> phases;
  std::vector<Who> who;
  std::string_view reason;
};

const std::vector<Phase>& all_phases();           // In their order.
const std::vector<Fault>& all_faults();           // In the order of their first cells.
const std::vector<Who>& victims_of(Fault fault);  // Whom it could strike.
// One for each phase and victim of a fault that has no cell, and none for those that have.
const std::vector<NotPlayed>& not_played();
// What nothing detects or tests, and why: a sentence each.
const std::vector<std::string_view>& gaps();

std::string_view to_string(Phase phase);
std::string_view to_string(Who who);
std::string_view to_string(Fault fault);
std::string_view to_string(Outcome outcome);
// Of the test that plays it: letters, digits and underscores; unique.
std::string name_of(const Cell& cell);

}  // namespace godwit::test
