// OutboundJob: a migration at its source: performs what the pure protocol decides (model/cutover.hpp).
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/alarm.hpp"
#include "engine/counters.hpp"
#include "engine/domains.hpp"
#include "engine/event_log.hpp"
#include "engine/job_request.hpp"
#include "engine/pace.hpp"
#include "engine/past_phases.hpp"
#include "engine/settings.hpp"
#include "engine/source_stream.hpp"
#include "fabric/channel.hpp"
#include "journal/journal.hpp"
#include "model/cutover.hpp"
#include "model/phase.hpp"
#include "model/transfer.hpp"
#include "objects/permissions.hpp"
#include "objects/source.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

struct OutboundRequest {
  Id job;
  std::string source_address;  // Of this node, as the destination reaches it.
  std::string destination_address;
  std::string destination_target;
  bool copy = false;
  model::Transfer transfer = {};  // Block size and streams are known.
  bool update = false;            // Filesets that are there already are brought up to date.
  bool dry_run = false;           // Both sides look, and nothing is changed.
  bool hold = false;              // Before the cutover, when all has arrived, it waits for approve().
  std::string extra_config = {};  // Databases: options there in the place of those here.
  // What it was made of, if it is to go on after an interruption. `is_kept`: the journal has it, for after a restart too.
  std::optional<JobRequest> asked = {};
  bool is_kept = false;
  // Of a job that a restart has interrupted; else as they are here.
  uint64_t attempts = 0;       // Offers that were made.
  bool is_journalled = false;  // The journal has its objects.
  Id destination_node = {};
  bool is_paused = false;
  bool is_approved = false;
  std::vector<RefusedObject> refused = {};
};

struct ObjectResult {
  Id source_id;
  Id destination_id;
  uint64_t size_bytes = 0;
  Errc error{};  // Errc{}: it arrived.
};

struct JobStatus {
  Id job;
  std::string source, destination, destination_target;
  bool copy = false;
  model::Phase phase = model::Phase::kPlanning;
  bool ended = false;
  Errc error{};
  std::string error_text;
  uint64_t bytes_done = 0, bytes_total = 0, objects_done = 0, objects_total = 0;
  double bytes_per_second = 0;
  double seconds = 0;
  model::Transfer transfer = {};  // With the limit and the window that hold now.
};

// The objects of a job; `results` has one entry for each that was asked for: those with an error are not in `sources`.
struct OutboundObjects {
  std::vector<std::unique_ptr<objects::Source>> sources = {};
  std::vector<ObjectResult> results = {};
  std::string first_error = {};

  void add(const Id& id, std::unique_ptr<objects::Source> source) {
    results.push_back({id, id, source->size_bytes(), Errc{}});
    sources.push_back(std::move(source));
  }
  void refuse(const Id& id, const Error& error) {
    results.push_back({id, id, 0, error.code});
    if (first_error.empty()) first_error = error.text;
  }
};
// Opens them in the job's own thread, because it takes long. `cancelled` ends it early. Those that were `refused` before, by
// their places and in that order, are refused again, and not opened: somebody else may want them.
using OpenObjects = std::function<OutboundObjects(const std::atomic<bool>& cancelled, std::span<const RefusedObject> refused)>;

// Thread-safe. run() is called once, by the job's thread; finish_in_doubt() by the resolver.
class OutboundJob {
 public:
  // `on_ended` is called, by the thread that drives the job, when it has ended for its user, or came in doubt.
  // `open`: gives the objects when the job runs, unless they are given; and again after each interruption.
  OutboundJob(OutboundRequest request, OutboundObjects objects, OpenObjects open, Domains& domains, journal::Journal& journal,
              const EngineSettings& settings, Pace& node_pace, std::function<void(const Id&)> on_ended);
  // From the journal, after a restart. `sources` are the objects that survived; `results` those that the record's objects are
  // among, kInDoubt, and whatever was refused.
  OutboundJob(const journal::OutboundJob& record, std::vector<std::unique_ptr<objects::Source>> sources,
              std::vector<ObjectResult> results, model::SourceMachine machine, Domains& domains, journal::Journal& journal,
              const EngineSettings& settings, Pace& node_pace, std::function<void(const Id&)> on_ended);

  const Id& id() const { return request_.job; }
  const std::string& destination_address() const { return request_.destination_address; }
  std::string describe() const;
  JobStatus status() const;
  model::Phase phase() const;
  std::vector<ObjectResult> results() const;
  std::string report_json() const;
  // Of a dry run that has ended: what it would do with the first 100,000 files; and how many there are.
  std::pair<std::vector<objects::PlannedFile>, uint64_t> planned() const;
  model::Decision decision() const;
  // The resolver has something to do: run() has left it in doubt, or done and the destination has not heard of the release.
  bool unfinished() const;

  // Also before it is asked for.
  void approve();
  // `cause`: for its events.
  void cancel(std::string_view cause);
  // Takes effect within some 50 ms, as far as blocks are concerned. Errors: kBusy, the cutover has begun, or it has ended.
  Result<> pause();
  // Also of one that is not paused; its time window does not hold any more. Errors: kBusy, it has ended.
  Result<> resume();
  // And not cancelled.
  bool paused() const { return pace_.paused() && !cancelled_; }
  // Called by the job's thread whenever it begins or ends to wait for its peer; set before it runs.
  std::function<void()> on_held;
  // After whatever a user has said of it: the journal knows of it, as far as it keeps the job. Blocks for the disk.
  // Errors: the journal's.
  Result<> keep_request();
  // It was never queued: lets go of its objects.
  void abandon(const Error& error) { give_up(error); }
  // The daemon stops: as cancel(), but the journal keeps a job that can go on after a restart.
  void suspend();
  // The journal has it, and it goes on after a restart.
  bool is_suspended() const { return suspended_; }
  // As cancel(), and it ends as rolled back. Errors: kBusy, its outcome is decided, or it has ended.
  Result<> roll_back();
  // Its objects serve here again, what has arrived stays at the destination, and it is paused until resume(), which looks at
  // them anew. Errors: kBusy, the same, or nothing has arrived yet; kUnsupported, it could not go on.
  Result<> roll_back_to_checkpoint();
  model::Priority priority() const { return request_.transfer.priority; }
  bool has_window() const { return has_window_; }
  // Pauses it if its time window is over, until the next one begins. Whether that has changed anything.
  bool keep_window(uint32_t second_of_day);
  // In bytes a second; 0: none. Errors: kBusy, it has ended.
  Result<> limit(uint64_t bandwidth);
  // Everything from the first byte to the end, or until the outcome depends on a peer that is lost. Blocks.
  void run() {
    drive();
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  // After a restart, before anybody asks: what it has moved cannot be removed now, so that until the next restart it is not
  // ended either. A destination that asks is told the decision.
  void withhold(const Error& why);
  // Tries to reach the destination and to end a job in doubt. Blocks for a few seconds, and for the disk where it has moved
  // files. False: the destination has not answered, or not so that the job could end.
  bool finish_in_doubt();

 private:
  struct Reply {
    wire::Outcome outcome;
    Error error;
  };
  using Sources = std::vector<std::unique_ptr<objects::Source>>;
  void take_objects(OutboundObjects objects);
  Result<> keep_refusals();
  std::vector<RefusedObject> refusals_locked() const;
  Result<> check_undecided_locked() const;
  void end_dry_run();
  Result<> await_approval(fabric::Channel& channel);
  Result<> await_ownership(fabric::Channel& channel);
  void drive();
  Result<> begin();
  Result<fabric::Channel> connect();
  Result<> attempt(fabric::Channel& channel);
  Result<> send_all(fabric::Channel& channel);
  bool can_go_on(const Error& error) const;
  Error stopped() const;
  bool goes_back() const { return stops_ && !cancelled_; }
  Result<fabric::Channel> go_on(const Error& error);
  void hold_for_peer();
  Result<fabric::Channel> await_peer();
  Result<> await_leave();
  bool can_go_back_locked() const;
  void give_up(const Error& error);
  Result<> quiesce_before_offer();
  bool has_live_passes() const;
  Result<> forget_records();
  // No peer has failed: the job cannot go on.
  Error fails_here(Error error) {
    fails_here_ = true;
    return error;
  }
  Result<> open_again();
  Result<> take_again(OutboundObjects& objects, Sources& unwanted);
  Result<> transfer(fabric::Channel& channel);
  Result<> live_passes(fabric::Channel& channel);
  Result<> begin_pass(fabric::Channel& channel, bool last);
  Result<> quiesce();
  milliseconds max_downtime() const;
  void overrun();
  std::optional<Clock::duration> writers_stopped_for_locked() const;
  std::optional<objects::Permission> permission_there(const journal::JobObject& object) const;
  Result<std::vector<Id>> offer(fabric::Channel& channel);
  Result<std::vector<Id>> hear_answers(fabric::Channel& channel, uint64_t number);
  Result<> take_answers(const wire::OfferReply& reply);
  Sources take_answers_locked(const wire::OfferReply& reply);
  Result<> journal_start();
  Result<> send_blocks(fabric::Channel& channel, const std::vector<Id>& tokens);
  void settle_failed_objects(const SourceTransfer& transfer);

  Result<> feed(model::SourceEvent event, fabric::Channel* channel);
  Result<fabric::ChannelEvent> hear(fabric::Channel& channel, Deadline deadline, const std::atomic<bool>* stop);
  Result<model::SourceEvent> ask(fabric::Channel& channel, std::span<const std::byte> message);
  Result<std::optional<model::SourceEvent>> perform(model::SourceAction action, fabric::Channel* channel);
  Result<> before_decision(fabric::Channel& channel);
  Result<> journal_hand_over();
  std::vector<std::string> paths_left() const;
  Result<> stop_all();
  void finish_objects();
  void resume_all();
  // Their writers go on. Never under mutex_: names go back to their places, databases are opened again, and that may take long,
  // while others only want to know how the job stands.
  static void let_serve(Sources sources);
  void fail(const Error& error);
  void leave_in_doubt(const Error& error);
  Result<> proceed(model::Phase phase, fabric::Channel* channel = nullptr);
  Result<bool> wait_steered(std::unique_lock<std::mutex>& lock, fabric::Channel* channel, const std::function<bool()>& until,
                            Deadline deadline);
  Deadline patience() const;
  void enter(model::Phase phase);
  void enter_locked(model::Phase phase);
  void end(model::Phase phase);
  enum class Why : uint8_t { kUser = 1, kWindow = 2, kPeer = 4, kDirectory = 8 };
  static std::string_view cause_of(Why why);
  void cancel_locked(std::string_view cause);
  bool can_pause_locked() const;
  void hold_locked(Why why);
  void let_go_locked(Why why);
  void count_end() const;
  void note(std::string_view event, std::initializer_list<Detail> details = {}) const;
  void recall();
  void note_bounded(std::atomic<uint32_t>& noted, std::string_view event, std::initializer_list<Detail> details) const;

  const OutboundRequest request_;
  const EngineSettings settings_;
  const OpenObjects open_;
  Domains& domains_;
  journal::Journal& journal_;
  const std::function<void(const Id&)> on_ended_;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> stops_{false};       // This attempt is to end: it is cancelled, or goes back to its checkpoint.
  std::atomic<bool> is_overdue_{false};  // That is because its writers were stopped for too long.
  Counters counters_;
  Pace pace_;
  std::atomic<bool> has_window_;
  protocol::Encoder encoder_;  // Of the thread that drives the job.
  uint64_t next_request_ = 1;
  std::vector<std::byte> said_before_;  // In the cutover; the fail point "source.message.stale" says it once more, late.
  std::vector<uint32_t> failed_;        // By index in the offer: could not be read.
  Error refusal_{Errc::kPeerLost, "the destination knows nothing of the job any more"};  // Its last one.
  Id destination_node_;                 // Only it can say what became of the job.
  bool journalled_ = false;             // The journal knows the job, and what it is made of.
  std::atomic<bool> kept_{false};       // The journal has its request.
  std::atomic<uint64_t> attempt_{0};    // Offers that were made, or are about to be.
  std::atomic<bool> has_begun_{false};  // The destination has taken an offer.
  uint64_t recorded_attempt_ = 0;       // Of which the journal has the objects.
  size_t recorded_objects_ = 0;         // So many.
  std::atomic<bool> fails_here_{false};
  std::optional<Deadline> given_up_at_;  // Since the last block that was sent, no attempt got further.
  Clock::time_point attempt_begun_{};
  milliseconds pause_{0};     // Before the next look for the peer.
  std::string lost_because_;  // The last attempt.
  uint32_t pass_ = 0;         // Of this attempt.
  std::atomic<bool> suspended_{false};
  std::atomic<uint32_t> passes_{0};
  std::atomic<uint32_t> objects_noted_{0};  // Events of objects that stay, and of blocks that went again.
  std::atomic<uint32_t> blocks_noted_{0};
  bool reclaimed_ = false;  // The destination lost its copy after the hand-over.

  std::mutex kept_mutex_;     // Of its request in the journal: put or forgotten. Before mutex_.
  size_t refusals_kept_ = 0;  // That the journal has, with the request. Guarded by it.

  mutable std::mutex mutex_;  // Guards all below.
  Sources sources_;           // Still part of the job. Only the thread that drives it changes them, and may read them without.
  std::vector<ObjectResult> results_;
  model::SourceMachine machine_;
  model::Phase phase_ = model::Phase::kPlanning;
  Error first_error_{Errc{}, {}};
  uint64_t bytes_total_ = 0;
  uint64_t objects_done_ = 0;
  bool running_ = true;          // run() has yet to return: the resolver keeps away.
  bool unreleased_ = true;       // The journal still has the job: the destination may have a record too.
  bool withheld_ = false;        // Until the next start.
  bool journal_failed_ = false;  // The hand-over may or may not be on disk.
  std::string staged_because_;
  uint64_t destination_blocks_direct_ = 0;  // As the destination told with its "prepared".
  uint64_t destination_blocks_staged_ = 0;
  std::string destination_staged_because_;
  uint32_t streams_used_ = 0;
  std::optional<Clock::time_point> writers_stopped_;  // Of this attempt.
  std::optional<Clock::time_point> writers_went_on_;  // Since then.
  bool approved_ = false;
  uint8_t held_ = 0;                // Why it is paused: the sum of Whys.
  bool is_outside_window_ = false;  // As keep_window() saw last.
  std::string waits_because_;       // Of Why::kPeer and Why::kDirectory.
  bool tries_now_ = false;          // A user does not want to wait for the next attempt.
  bool rolls_back_ = false;
  model::Phase paused_in_ = model::Phase::kPlanning;  // While it is paused: where it goes on.
  std::condition_variable steered_;                   // Approved, cancelled, paused or resumed.
  std::vector<objects::PlannedFile> planned_;
  uint64_t planned_total_ = 0;
  Clock::time_point started_ = Clock::now();
  Clock::time_point ended_{};
  std::vector<std::pair<model::Phase, Clock::time_point>> history_;  // Since the daemon's start.
  std::vector<PastPhase> past_phases_;                               // And before. Set once.

  Alarm overrun_;  // Last: what it calls needs the rest.
};

}  // namespace godwit::engine
