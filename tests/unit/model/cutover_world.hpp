// CutoverWorld: two nodes with disks and memory, a network in which every message waits until somebody delivers or drops it,
// and an engine that performs the machines' actions one at a time. The promises of docs/design/cutover.md are checked on
// demand.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cutover_flaw.hpp"
#include "cutover_world_parts.hpp"

namespace godwit::model::sim {

class CutoverWorld {
 public:
  explicit CutoverWorld(Flaw flaw = Flaw::kNone, bool traced = false) : flaw_(flaw), traced_(traced) {}

  // ---- what happens; nothing happens where it does not apply
  ObjectId create(NodeIndex node, bool lasting);
  // Nothing unless an idle object is served there.
  std::optional<JobId> start(NodeIndex source, ObjectId object, bool is_move, bool destination_lasting, bool resumes = false);
  // `blocks`: a bit for each that changes. `back`: to what it was before its last change.
  bool write(NodeIndex node, ObjectId object, uint32_t blocks = kWholeObject, bool back = false);
  // Nothing unless it is idle and served there.
  void erase(NodeIndex node, ObjectId object);
  // The next thing that the source does by itself: a pass, the quiesce, a retry; or it finds that its connection is broken.
  void tick_source(NodeIndex node, JobId job, bool quiesce, bool finds_break = true);
  void tick_destination(NodeIndex node, JobId job);
  void fail_source(NodeIndex node, JobId job);
  void pause(NodeIndex node, JobId job);  // While blocks are sent.
  void unpause(NodeIndex node, JobId job);
  // At the source: the connection broke. The job goes on with another attempt if it resumes, else it fails.
  void interrupt_source(NodeIndex node, JobId job);
  // At the destination: the connection broke. A job that does not resume has lost its source.
  void interrupt_destination(NodeIndex node, JobId job);
  void lose_source(NodeIndex node, JobId job);  // At the destination: the source was silent for too long.
  void checkpoint(NodeIndex node, JobId job);   // At the destination, for a job that resumes.
  // One action of one job. False: there was none.
  bool act(NodeIndex node);
  // False: the job it is for is busy; it stays in the network.
  bool deliver(size_t index, bool unfit = false);
  void duplicate(size_t index);
  void drop(size_t index);
  void crash(NodeIndex node);
  void fail_disk(NodeIndex node, bool writes);  // At the next durable action.
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
  // The message is in the network, for the caller to fill in what else it carries.
  Message& send(NodeIndex from, JobId job, Kind kind, uint32_t attempt);

  // cutover_world_source.cpp
  void feed(NodeIndex node, JobId job, SourceEvent event);
  void perform(NodeIndex node, JobId job, SourceJob& source, SourceAction action);
  void take(NodeIndex node, JobId job, SourceJob& source, Step step);
  void open_again(NodeIndex node, JobId job);
  void next_pass(NodeIndex node, JobId job, bool quiesce);
  bool is_broken(NodeIndex node, JobId job) const;
  bool counts(const Message& message, const SourceJob& source) const;
  void journal_hand_over(NodeIndex node, JobId job);
  void finish_source(NodeIndex node, JobId job);
  void resume(NodeIndex node, JobId job, const SourceJob& source);
  void to_source(const Message& message);
  void answer(const Message& ask);

  // cutover_world_destination.cpp
  void feed(NodeIndex node, JobId job, DestinationEvent event, bool answers);
  void perform(NodeIndex node, JobId job, DestinationJob& destination, DestinationAction action);
  void journal_inbound(NodeIndex node, JobId job, const DestinationJob& destination, DestinationRecord kind);
  void journal_owner(NodeIndex node, JobId job, const DestinationJob& destination);
  void read_block(NodeIndex node, JobId job, DestinationJob& destination);
  bool is_here_already(NodeIndex node, const DestinationJob& destination, size_t block) const;
  void finish(NodeIndex node, JobId job);
  void to_destination(const Message& message, bool unfit);
  void announced(const Message& message);
  void offered(const Message& message);
  void decided(const Message& message, bool unfit);

  void act(NodeIndex node, JobId job, SourceJob& source);
  void act(NodeIndex node, JobId job, DestinationJob& destination);
  template <class Job, class Perform>
  bool act_durably(NodeIndex node, JobId id, Job& job, Perform perform);
  void recover(NodeIndex node);
  void end_recovery(NodeIndex node);
  bool is_busy(const Message& message) const;
  bool settled() const;

  // cutover_world_promises.cpp
  bool has(NodeIndex node, SpaceId space, const Content& content) const;
  bool is_held(ObjectId object, const Content& latest) const;
  void excuse_losses();

  Flaw flaw_;
  bool traced_;
  std::array<Node, 2> nodes_;
  std::vector<Message> network_;
  std::map<JobId, JobSpec> jobs_;
  std::map<ObjectId, Content> acknowledged_;  // By the last write of each block.
  std::map<ObjectId, Content> previous_;      // What each block was before.
  std::map<ObjectId, bool> excused_;
  std::set<ObjectId> erased_;
  BlockContent next_write_ = 1;
  std::vector<std::string> trace_;
  std::string violation_;
};

}  // namespace godwit::model::sim
