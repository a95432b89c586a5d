// InboundTable: the migrations that come to this node: serves their connections and streams, remembers those in doubt.
#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/thread_group.hpp"
#include "engine/domains.hpp"
#include "engine/inbound_job.hpp"
#include "engine/reservation.hpp"
#include "engine/settings.hpp"
#include "fabric/channel.hpp"

namespace godwit::engine {

// Thread-safe.
class InboundTable {
 public:
  InboundTable(const EngineSettings& settings, objects::RegionStore& store, objects::FilesetStore& filesets,
               objects::DatabaseStore& databases, journal::Journal& journal);
  ~InboundTable();

  // At start: jobs of the journal whose outcome is not known, or not yet heard by the source. Errors: kCorrupt, kIo.
  Result<> recover();
  // The thread that notes, time and again, what has arrived.
  void start();
  // Serves a job's connection in a thread of its own. Errors: kBusy, too many; then `incoming` is refused.
  Result<> serve_job(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming);
  // Serves a job's further stream likewise. Errors: kNotFound, no job awaits that token; kBusy.
  Result<> serve_stream(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming);

  // Null: unknown.
  std::shared_ptr<InboundJob> find(const Id& job) const;
  // Those whose source has to be asked: they are prepared and have not heard the decision, or were interrupted.
  std::vector<std::shared_ptr<InboundJob>> in_doubt() const;
  // How many there are in each state; those that are forgotten soon are in none.
  std::map<model::DestinationState, uint64_t> count() const;
  void forget_ended();
  // The source of a job, which is this node too, remembers it no more: as on_forgotten(), unless the job is here as well, or is
  // being offered, which whoever looks at the offer looks at again. Blocks for the disk.
  void forgotten_at_source(const Id& job);
  // Ends all transfers and joins the threads; what is prepared stays in doubt in the journal.
  void stop();

 private:
  Result<> run_stream(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming, InboundJob& job);
  void run_job(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming);
  // `attempt`: that the job was offered in; 0: it was not.
  Result<> converse(fabric::Channel& channel, std::shared_ptr<InboundJob>& job, uint64_t& attempt);
  Result<> hear_offer(fabric::Channel& channel, const protocol::Decoded& message, protocol::Encoder& encoder,
                      std::shared_ptr<InboundJob>& job, uint64_t& attempt);
  Result<> answer_probe(fabric::Channel& channel, uint64_t request, const wire::ProbeRequest& probe,
                        std::vector<std::byte>& scratch, protocol::Encoder& encoder) const;
  Result<> receive_blocks(fabric::Channel& channel, InboundJob& job);
  Result<std::span<const std::byte>> offered(fabric::Channel& channel, const protocol::Decoded& message,
                                             protocol::Encoder& encoder, std::shared_ptr<InboundJob>& job);
  Result<std::span<const std::byte>> take_offer(fabric::Channel& channel, const protocol::Decoded& message,
                                                protocol::Encoder& encoder, std::shared_ptr<InboundJob>& job, const Id& id);
  // Errors: as offered(); the job has failed then.
  Result<std::span<const std::byte>> next_pass(fabric::Channel& channel, const protocol::Decoded& message,
                                               protocol::Encoder& encoder, const std::shared_ptr<InboundJob>& job);
  // What the job receives now. Errors: as InboundJob::begin_pass().
  Result<std::span<const std::byte>> begin_pass(fabric::Channel& channel, const protocol::Decoded& message,
                                                protocol::Encoder& encoder, const std::shared_ptr<InboundJob>& job,
                                                PassKind kind);
  std::vector<wire::Id> new_tokens(const std::shared_ptr<InboundJob>& job, uint32_t streams);
  Result<> keep_asker(const wire::OfferRequest& offer, const Id& id);
  Result<> keep_permissions(const wire::OfferRequest& offer, const Reservation& reserved);
  Result<Reservation> reserve(fabric::Channel& channel, const wire::OfferRequest& offer, const Id& id);
  // The job of an earlier attempt, if what is here is of use to this one. Errors: as InboundJob::resume().
  Result<std::shared_ptr<InboundJob>> resumed(fabric::Channel& channel, const wire::OfferRequest& offer, const Id& id);
  Result<std::span<const std::byte>> answer_resumed(fabric::Channel& channel, const protocol::Decoded& message,
                                                    protocol::Encoder& encoder, const std::shared_ptr<InboundJob>& job);
  void receive(fabric::Channel& channel, const wire::OfferRequest& offer, InboundJob& job, std::vector<objects::Sink*> sinks,
               std::span<const uint64_t> sizes, Arrived arrived);
  Result<> recover_one(journal::InboundJob& record);
  void make_checkpoints();
  std::span<const std::byte> answer_offer(uint64_t request, const Reservation& reserved, const std::vector<wire::Id>& tokens,
                                          protocol::Encoder& encoder) const;
  Result<std::vector<std::unique_ptr<objects::Sink>>> recover_sinks(const journal::InboundJob& record,
                                                                    std::span<const std::vector<std::byte>> listings);
  OutcomeAnswer decide(const protocol::Decoded& message, std::shared_ptr<InboundJob>& job, uint64_t attempt);
  void expire_tokens(const std::shared_ptr<InboundJob>& job);

  const EngineSettings settings_;
  objects::RegionStore& store_;
  objects::FilesetStore& filesets_;
  objects::DatabaseStore& databases_;
  journal::Journal& journal_;
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;  // Guards all below.
  std::unordered_map<Id, std::shared_ptr<InboundJob>> jobs_;
  std::unordered_map<Id, std::shared_ptr<InboundJob>> tokens_;  // Of streams that have not come yet.
  std::set<Id> arriving_;  // Jobs whose offers are being looked at, or whose owners are being forgotten.

  std::condition_variable ends_;  // stopping_

  ThreadGroup job_threads_;
  ThreadGroup stream_threads_;
  std::thread checkpointer_;
};

}  // namespace godwit::engine
