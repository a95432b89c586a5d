// CutoverWorld: two nodes with disks and memory, a network in which every message waits until somebody delivers or drops it,
// and an engine that performs the machines' actions one at a time. The promises of docs/design/cutover.md are checked on
// demand.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/cutover.hpp"

namespace godwit::model::sim {

using NodeIndex = uint32_t;  // 0 or 1.
using JobId = uint32_t;
using ObjectId = uint32_t;
using SpaceId = uint32_t;
using Content = uint64_t;  // The number of the last write that the bytes contain.

// Mistakes that an engine or a machine could make. The simulator has to find each of them.
enum class Flaw : uint8_t {
  kNone,
  kHandOverNotJournalled,        // The source sends commit without a record.
  kAnswersBeforeDurable,         // The source tells a decision that its journal does not have yet.
  kResumesBeforeAbortJournal,    // Writers go on while the record still looks like a job that may be adopted.
  kDoesNotAdopt,                 // A source that lost its volatile objects aborts.
  kFreesAtHandOver,              // The source frees the space before the destination owns.
  kDestinationForgetsAtCommit,   // The destination deletes its record before it is released.
  kOwnerWithoutCopyAnswersLost,  // The destination owned, lost its volatile copy, and lets the source reclaim.
  kReclaimsAfterCommitted,       // The source takes `committed` for `lost`.
  kServesByJobRecord,            // After a restart the destination serves what its job's record says, not the catalogue.
  kUnknownJobMeansCommit,        // The source answers "commit" for a job that it does not know.
  kPreparesWithoutLastPass,      // The destination does not check that every block is verified.
  kRecoversWithoutForgetting,    // A restarted source leaves the record of an aborted job; nothing ever removes it.
};

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
  uint32_t pass = 0;
  Content content = 0;
  Decision decision = Decision::kPending;
  uint32_t sender_boot = 0;  // Offers and data belong to a connection: none survives a restart of either end.
  uint32_t receiver_boot = 0;
};

struct Space {
  Content content = 0;
  bool lasting = false;
  bool gone = false;  // Freed, or wiped by a restart.
};

// What is fixed when the job starts; both nodes know it from the offer and from their records.
struct JobSpec {
  ObjectId object = 0;
  ObjectId result = 0;  // The same for a move, new for a copy.
  bool is_move = true;
  bool destination_lasting = true;
  NodeIndex source = 0;
  uint32_t epoch = 0;  // That the destination serves.
  // For the checks only:
  bool owned = false;    // The destination was the owner at some time.
  Content snapshot = 0;  // What a copy has to contain.
};

struct Catalogued {
  SpaceId space = 0;
  uint32_t epoch = 0;
};
struct OutboundRecord {
  bool handed_over = false;
  bool done = false;
  Catalogued origin{};
};
struct InboundRecord {
  bool owner = false;
  SpaceId space = 0;
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
struct SourceJob {
  SourceMachine machine;
  std::deque<SourceAction> todo{};
  Catalogued origin{};
  uint32_t peer_boot = 0;
  bool offered = false;
  uint32_t pass = 0;
  bool pass_acknowledged = true;
  Content pass_content = 0;
};
struct DestinationJob {
  DestinationMachine machine;
  std::deque<DestinationAction> todo{};
  SpaceId space = 0;
  uint32_t source_boot = 0;
  uint32_t pass = 0;
  bool answers = true;              // The event came from the source itself, not from an answer to our question.
  std::optional<Kind> last_word{};  // Sent when `todo` is done.
  bool forgotten = false;
};
struct Node {
  enum class Life : uint8_t { kDown, kRecovering, kUp };
  Life life = Life::kUp;
  uint32_t boot = 1;
  Disk disk;
  std::vector<Space> spaces;
  // Memory:
  std::map<ObjectId, Served> served;
  std::map<JobId, SourceJob> sources;
  std::map<JobId, DestinationJob> destinations;
};

class CutoverWorld {
 public:
  explicit CutoverWorld(Flaw flaw = Flaw::kNone, bool traced = false) : flaw_(flaw), traced_(traced) {}

  // ---- what happens; nothing happens where it does not apply
  ObjectId create(NodeIndex node, bool lasting);
  // Nothing unless an idle object is served there.
  std::optional<JobId> start(NodeIndex source, ObjectId object, bool is_move, bool destination_lasting);
  bool write(NodeIndex node, ObjectId object);
  // The next thing that the source does by itself: a pass, the quiesce, a retry.
  void tick_source(NodeIndex node, JobId job, bool quiesce);
  void tick_destination(NodeIndex node, JobId job);
  void fail_source(NodeIndex node, JobId job);
  void lose_source(NodeIndex node, JobId job);  // At the destination: the connection broke.
  // One action of one job. False: there was none.
  bool act(NodeIndex node);
  // False: the job it is for is busy; it stays in the network.
  bool deliver(size_t index, bool unfit = false);
  void duplicate(size_t index);
  void drop(size_t index);
  void crash(NodeIndex node);
  void restart(NodeIndex node);

  // ---- for scripts
  void act_all();
  // Delivers the oldest message of the kind, and performs what follows from it.
  bool deliver(Kind kind);
  void drop_all(Kind kind);
  // Passes, quiesce and last pass, until `prepare` is in the network.
  void transfer(JobId job);
  // No more faults: everybody is restarted, and everything is delivered and retried until nothing is left to do.
  // False: it did not end.
  bool settle();

  // ---- what is so
  const std::vector<Message>& network() const { return network_; }
  const Node& node(NodeIndex index) const { return nodes_[index]; }
  const std::map<JobId, JobSpec>& jobs() const { return jobs_; }
  const std::map<ObjectId, Content>& objects() const { return acknowledged_; }
  bool accepts_writes(NodeIndex node, ObjectId object) const;
  // The bytes died with a node that was their only, volatile, holder.
  bool is_excused(ObjectId object) const { return excused_.contains(object) && excused_.at(object); }
  const std::vector<std::string>& trace() const { return trace_; }

  // The first broken promise, empty if there is none. Cheap: called after every step.
  const std::string& check();
  // What must hold after settle().
  const std::string& check_end();

 private:
  template <class... Args>
  void note(fmt::format_string<Args...> format, Args&&... args) {
    if (traced_) trace_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  template <class... Args>
  void violated(fmt::format_string<Args...> format, Args&&... args) {
    if (violation_.empty()) violation_ = fmt::format(format, std::forward<Args>(args)...);
  }
  void send(NodeIndex from, JobId job, Kind kind, uint32_t pass = 0, Content content = 0,
            Decision decision = Decision::kPending);

  // cutover_world_source.cpp
  void feed(NodeIndex node, JobId job, SourceEvent event);
  void perform(NodeIndex node, JobId job, SourceJob& source, SourceAction action);
  void journal_hand_over(NodeIndex node, JobId job);
  void finish_source(NodeIndex node, JobId job);
  void resume(NodeIndex node, JobId job, const SourceJob& source);
  void to_source(const Message& message);
  void answer(const Message& ask);

  // cutover_world_destination.cpp
  void feed(NodeIndex node, JobId job, DestinationEvent event, bool answers);
  void perform(NodeIndex node, JobId job, DestinationJob& destination, DestinationAction action);
  void journal_owner(NodeIndex node, JobId job, const DestinationJob& destination);
  void finish(NodeIndex node, JobId job);
  void to_destination(const Message& message, bool unfit);
  void offered(const Message& message);
  void decided(const Message& message, bool unfit);

  void recover(NodeIndex node);
  void end_recovery(NodeIndex node);
  bool is_busy(const Message& message) const;
  bool settled() const;

  // cutover_world_promises.cpp
  bool has(NodeIndex node, SpaceId space, Content content) const;
  bool is_held(ObjectId object, Content latest) const;
  void excuse_losses();

  const Flaw flaw_;
  const bool traced_;
  std::array<Node, 2> nodes_;
  std::vector<Message> network_;
  std::map<JobId, JobSpec> jobs_;
  std::map<ObjectId, Content> acknowledged_;  // The last acknowledged write.
  std::map<ObjectId, bool> excused_;
  Content next_write_ = 1;
  std::vector<std::string> trace_;
  std::string violation_;
};

}  // namespace godwit::model::sim
