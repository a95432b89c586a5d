// What the matrix of faults does not play, and why.
#include <algorithm>

#include "fault/matrix.hpp"

namespace godwit::test {
namespace {

using enum Fault;

const std::vector<Phase> kAllPhases{Phase::kPlanning, Phase::kPreSync, Phase::kSync,   Phase::kValidation,
                                    Phase::kCutover,  Phase::kDecided, Phase::kCleanup};

std::vector<Phase> all_but(std::initializer_list<Phase> played) {
  std::vector<Phase> others = kAllPhases;
  std::erase_if(others, [&](Phase phase) { return std::ranges::find(played, phase) != played.end(); });
  return others;
}

}  // namespace

const std::vector<Phase>& all_phases() { return kAllPhases; }

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> all = [] {
    std::vector<Fault> found;
    for (const Cell& cell : cells())
      if (std::ranges::find(found, cell.fault) == found.end()) found.push_back(cell.fault);
    return found;
  }();
  return all;
}

const std::vector<Who>& victims_of(Fault fault) {
  static const std::vector<Who> daemons{Who::kSource, Who::kDestination, Who::kBoth};
  static const std::vector<Who> wire{Who::kWire};
  const bool is_of_wire = fault == kCutToDestination || fault == kCutToSource || fault == kCutBothWays || fault == kSlow;
  return is_of_wire ? wire : daemons;
}

const std::vector<NotPlayed>& not_played() {
  using enum Phase;
  const std::vector<Who> source{Who::kSource}, destination{Who::kDestination}, either{Who::kSource, Who::kDestination};
  const std::vector<Who> both{Who::kBoth}, wire{Who::kWire}, anyone{Who::kSource, Who::kDestination, Who::kWire};
  static const std::vector<NotPlayed> all{
      {{kFreeze, kCutToDestination, kCutToSource, kCutBothWays, kSlow},
       {kPlanning},
       anyone,
       "Neither daemon has asked the other anything yet: what is silent then is met by the first question, in pre-sync."},
      {{kFreeze},
       all_but({kSync}),
       both,
       "Both stopped is played in sync, where each finds the other silent when it wakes; elsewhere each is stopped alone."},
      {{kCutToDestination, kCutToSource},
       {kValidation, kCleanup},
       wire,
       "One daemon asks, the other answers: a cut of either direction is what the cut both ways is, which is played."},
      {{kSlow},
       all_but({kPlanning, kSync}),
       wire,
       "Only blocks are held to a pace. Questions have deadlines, which SIGSTOP and the cuts meet."},
      {{kNoSpace, kReadFails, kWriteFails, kFlushFails, kJournalFails, kShortTransfers, kFlipInBuffer, kFlipAlways,
        kFlipOnMedium, kRepeatedMessages, kLateMessages, kJournalTorn, kJournalFlipped, kJournalMissing, kAllOfJournalMissing,
        kNoDescriptors, kNoLockedMemory},
       kAllPhases,
       both,
       "Of two daemons that fail in this way one is first, and what it does is played; at both at once are kills and SIGSTOP."},
      {{kNoSpace, kWriteFails, kFlushFails},
       kAllPhases,
       source,
       "The source of a move writes nothing but its journal, which has rows of its own, and the events of the job, without "
       "which it goes on."},
      {{kNoSpace}, {kPlanning}, destination, "Nothing is asked of the destination's targets before pre-sync."},
      {{kWriteFails},
       {kPlanning, kPreSync},
       destination,
       "Nothing is written to the destination's targets before sync: to reserve the space is what ENOSPC meets in pre-sync."},
      {{kNoSpace, kWriteFails},
       {kValidation, kCutover, kDecided, kCleanup},
       destination,
       "Every block was written in sync; what is written from there on goes to the journals, which have rows of their own."},
      {{kReadFails}, all_but({kSync}), source, "The source reads blocks in sync only."},
      {{kReadFails},
       all_but({kValidation}),
       destination,
       "The destination reads what it has stored in validation; and, in a later attempt, what has arrived before: what it "
       "cannot read then is sent again."},
      {{kFlushFails},
       {kSync},
       destination,
       "A checkpoint's flush is the one of the cutover, a little earlier: what fails is never flushed again, whoever asked "
       "first."},
      {{kFlushFails},
       all_but({kSync, kCutover}),
       destination,
       "The destination flushes at checkpoints and before the cutover."},
      {{kJournalFails},
       {kPreSync, kValidation},
       source,
       "In a first attempt that nobody steers the source commits nothing then. What it commits of a later one, or of a wish, "
       "says nothing of who owns the region."},
      {{kJournalFails}, {kCutover}, source, "The source's one commit is the decision: the next column."},
      {{kJournalFails},
       {kPlanning, kPreSync},
       destination,
       "Of a region of the daemon's own user nothing is committed before it arrives. What is of others, as their offer comes, "
       "says nothing of who owns it."},
      {{kShortTransfers},
       all_but({kSync}),
       either,
       "Blocks are read and written in sync; reading back in validation takes the source's way of reading."},
      {{kFlipInBuffer, kFlipAlways}, all_but({kSync, kValidation}), either, "No block is on its way."},
      {{kFlipInBuffer}, {kValidation}, source, "The source sends no block then."},
      {{kFlipAlways},
       {kValidation},
       either,
       "Validation looks at each block once: one that differs ends the job, and so do all."},
      {{kFlipOnMedium}, kAllPhases, source, "Nothing tells a bit that flipped in a region at rest: see below."},
      {{kFlipOnMedium}, {kPlanning, kPreSync}, destination, "Nothing is stored yet."},
      {{kFlipOnMedium},
       {kSync},
       destination,
       "Between two attempts it is found, which `fault/resume_test.cpp` plays; else in validation, or not: see below."},
      {{kFlipOnMedium},
       {kCutover, kDecided, kCleanup},
       destination,
       "Nobody reads the bytes again before the application does."},
      {{kRepeatedMessages, kLateMessages},
       {kPlanning, kPreSync, kSync, kValidation},
       either,
       "Connections keep the order, and repeat nothing. An offer or a block that a peer names twice ends its job "
       "(`hostile/hostile_job_test.cpp`); the simulator doubles and delays all messages."},
      {{kRepeatedMessages, kLateMessages},
       {kCutover, kCleanup},
       either,
       "The row's messages are all of the cutover: prepare, commit and release."},
      {{kLateMessages},
       {kDecided},
       destination,
       "An answer has its question's number: one that comes late is one that comes twice, which is played."},
      {{kJournalTorn, kJournalFlipped, kJournalMissing, kAllOfJournalMissing},
       {kPlanning, kPreSync, kValidation, kCutover, kCleanup},
       source,
       "The journal is looked at when the daemon starts. It says of the job what it says in sync or, after the decision, in "
       "the "
       "cutover."},
      {{kJournalTorn},
       {kPlanning, kPreSync, kValidation, kCleanup},
       destination,
       "As at the source: the states that the journal can be in are those of sync, of prepared and of the owner."},
      {{kJournalFlipped, kJournalMissing, kAllOfJournalMissing},
       {kPlanning, kPreSync, kValidation, kCutover, kCleanup},
       destination,
       "A damaged or missing journal is refused whatever it says: sync stands for the time before the decision, the cutover "
       "for "
       "that after it."},
      {{kAllOfJournalMissing},
       {kDecided},
       either,
       "A pool without its journal is refused whatever it holds: sync stands for all."},
      {{kNoDescriptors, kNoLockedMemory},
       all_but({kPlanning}),
       either,
       "What most of a job needs is opened when it begins. What a later phase opens, a new connection or a way to read back, "
       "fails as a lost peer or a disk that cannot be read does."},
  };
  return all;
}

const std::vector<std::string_view>& gaps() {
  static const std::vector<std::string_view> all{
      "A bit that flips in a region at its source, at rest, before the block's digest is made: no digest of bytes at rest is "
      "kept, so "
      "the flipped bit is what arrives.",
      "A bit that flips in the destination's staging buffer after the digest was checked, or on its medium before the cutover, "
      "in a "
      "job without `verify`: only a job with it reads back what it stored.",
      "Damage to the journal's `-wal` file after a crash: SQLite takes a frame whose checksum is wrong for the end of the log "
      "([journal](../design/journal.md)).",
      "A journal that is missing altogether beside a device (devdax) that has a pool: only pools that are files are noticed.",
      "A cut of the wire in the matrix's own cells is one of what the source connects to; the destination's own questions "
      "about a job "
      "in doubt get through. Cuts of everything are in `hosts/hosts_test.py`, in the phase sync and at random moments.",
      "The limit of locked memory binds no daemon that runs as root, and the provider tcp needs no locked memory.",
      "SIGSTOP, a cut or a slow wire with files or databases in each phase: regions stand for them, but for sync.",
      "What RDMA hardware does after an abort: the late RMA is played over tcp.",
  };
  return all;
}

}  // namespace godwit::test
