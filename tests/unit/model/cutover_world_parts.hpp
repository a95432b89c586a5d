// What the simulated nodes are made of: messages, disks, spaces, jobs.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "model/cutover.hpp"

namespace godwit::model::sim {

using NodeIndex = uint32_t;  // 0 or 1.
using JobId = uint32_t;
using ObjectId = uint32_t;
using SpaceId = uint32_t;
using BlockContent = uint64_t;  // The number of the write that the block contains; it stands for its digest as well. 0: none.
constexpr size_t kBlocks = 4;
using Content = std::array<BlockContent, kBlocks>;  // Of an object.
constexpr uint32_t kWholeObject = (1U << kBlocks) - 1;

enum class Kind : uint8_t {
  // Source to destination.
  kOffer,
  kData,
  kPrepare,
  kCommit,
  kAbort,
  kRelease,
  kDecision,
  // Destination to source.
  kOffered,
  kOfferRefused,
  kDataDone,
  kPrepared,
  kRefused,
  kCommitted,
  kAborted,
  kReleased,
  kUnknown,
  kAsk,
};
std::string_view to_string(Kind kind);

struct Message {
  Kind kind;
  JobId job;
  NodeIndex to;
  uint32_t attempt = 0;  // An answer carries that of what it answers.
  uint32_t pass = 0;
  Content content{};
  Decision decision = Decision::kPending;
  uint32_t sender_boot = 0;  // Offers and data belong to a connection: none survives a restart of either end.
  uint32_t receiver_boot = 0;
};

struct Space {
  Content content{};
  bool lasting = false;
  bool gone = false;  // Freed, or wiped by a restart.
};

// What is fixed when the job starts; both nodes know it from the offer and from their records.
struct JobSpec {
  ObjectId object = 0;
  ObjectId result = 0;  // The same for a move, new for a copy.
  bool is_move = true;
  bool destination_lasting = true;
  bool resumes = false;  // Goes on with another attempt when its connection breaks.
  NodeIndex source = 0;
  uint32_t epoch = 0;  // That the destination serves.
  // For the checks only:
  bool owned = false;        // The destination was the owner at some time.
  bool rolled_back = false;  // Its abort is durable.
  bool decided = false;      // Its hand-over was durable.
  bool paused = false;       // As the user has said.
  uint32_t attempts = 1;
  uint32_t promised = 0;  // The attempt in which the destination was prepared last.
  Content snapshot{};     // What the source had when its last pass was done.
  uint32_t fallbacks = 0;
  uint32_t blocks_read = 0, blocks_skipped = 0;
  std::optional<SpaceId> checkpoint_space{};
  Content checkpoint{};  // Digests that are durable at the destination.
};

struct Catalogued {
  SpaceId space = 0;
  uint32_t epoch = 0;
};
struct OutboundRecord {
  bool handed_over = false;
  bool done = false;
  bool paused = false;
  bool resumes = false;
  uint32_t attempt = 1;
  Catalogued origin{};
};
struct InboundRecord {
  DestinationRecord kind = DestinationRecord::kNone;
  SpaceId space = 0;
  uint32_t attempt = 0;
  Content digests{};
};
struct Disk {
  std::map<ObjectId, Catalogued> catalogue;  // On lasting targets.
  std::map<JobId, OutboundRecord> outbound;
  std::map<JobId, InboundRecord> inbound;
};

struct Served {
  Catalogued at;
  JobId pinned_by = 0;
  bool quiesced = false;
};
// What the engine does for an attempt besides the machine's actions; each is a moment for a crash, too.
enum class Step : uint8_t { kJournalAttempt, kSendOffer };
struct SourceJob {
  enum class Link : uint8_t {
    kNone,  // Before an attempt: the object is not this job's, and writers go on.
    kOffering,
    kOpen,
  };
  SourceMachine machine;
  std::deque<SourceAction> todo{};
  std::deque<Step> steps{};
  Catalogued origin{};
  uint32_t attempt = 1;
  Link link = Link::kOffering;
  bool holds = true;  // The object, pinned or handed over.
  bool paused = false;
  bool stuck = false;  // A durable action has failed: the job stands still until the restart.
  uint32_t peer_boot = 0;
  uint32_t pass = 0;
  bool pass_acknowledged = true;
  Content pass_content{};

  bool is_busy() const { return stuck || !todo.empty() || !steps.empty(); }
  bool is_decided() const { return machine.state != SourceState::kSyncing && machine.state != SourceState::kPreparing; }
};
struct DestinationJob {
  DestinationMachine machine;
  std::deque<DestinationAction> todo{};
  SpaceId space = 0;
  uint32_t attempt = 0;
  bool open = false;  // The attempt's connection, as far as this side knows.
  uint32_t source_boot = 0;
  uint32_t pass = 0;
  Content announced{};  // By the pass.
  struct Stray {
    size_t block;
    BlockContent content;
  };
  std::optional<Stray> stray{};        // Of an older attempt; kReadsOutliveTheirAttempt only.
  std::optional<size_t> next_block{};  // The pass is under way.
  uint32_t whole_pass = 0;             // The last one whose blocks are all here.
  Content digests{};                   // Of what has landed; after a restart, those of the last record.
  bool answers = true;                 // The event came from the source itself, not from an answer to our question.
  uint32_t answered_attempt = 0;       // That of the message.
  std::optional<Kind> last_word{};     // Sent when `todo` is done.
  bool forgotten = false;
  bool stuck = false;

  bool is_busy() const { return stuck || !todo.empty(); }
};
struct Node {
  enum class Life : uint8_t { kDown, kRecovering, kUp };
  Life life = Life::kUp;
  uint32_t boot = 1;
  Disk disk;
  // The next durable action fails; whether it is on disk nobody knows until the restart.
  enum class Failure : uint8_t { kWritten, kNotWritten };
  std::optional<Failure> failure{};
  std::vector<Space> spaces;
  // Memory:
  std::map<ObjectId, Served> served;
  std::map<JobId, SourceJob> sources;
  std::map<JobId, DestinationJob> destinations;
};

}  // namespace godwit::model::sim
