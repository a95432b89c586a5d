#include "engine/resolver.hpp"

#include "base/log.hpp"
#include "engine/ask_node.hpp"

namespace godwit::engine {

Resolver::Resolver(const EngineSettings& settings, Domains& domains, JobTable& outbound, InboundTable& inbound)
    : settings_(settings), domains_(domains), outbound_(outbound), inbound_(inbound), thread_([this] { run(); }) {}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_all();
  thread_.join();
}

void Resolver::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    for (const auto& job : outbound_.unfinished()) job->finish_in_doubt();
    for (const auto& job : inbound_.in_doubt()) ask_source(*job);
    inbound_.forget_ended();
    lock.lock();
    stop_.wait_for(lock, settings_.resolve_interval, [this] { return stopping_; });
  }
}

void Resolver::ask_source(InboundJob& job) {
  if (!job.source_is_silent()) return;  // Its connection is open: the decision comes that way.
  if (!hears_decision(job)) (void)job.give_up_silent_source();
}

// Whether the daemon that began the job has answered.
bool Resolver::hears_decision(InboundJob& job) {
  protocol::Encoder encoder;
  const wire::Id id = protocol::to_wire(job.id());
  const auto bytes =
      ask_node(domains_, job.source_address(), encoder.finish(1, wire::CreateDecisionRequest(encoder.builder(), &id)),
               settings_.connect_timeout, settings_.connect_timeout);
  if (!bytes) {
    log::debug("{}: in doubt until the source is back: {}", job.describe(), bytes.error().text);
    return false;
  }
  const auto message = protocol::decode(*bytes);
  if (!message) return false;
  const auto* reply = message->body<wire::DecisionReply>();
  if (reply == nullptr) return false;
  if (protocol::from_wire(reply->node()) != job.source_node()) {
    log::warn("{}: another daemon answers at {}; in doubt until the one that began the job is back", job.describe(),
              job.source_address());
    return false;
  }
  switch (static_cast<model::Decision>(reply->decision())) {
    case model::Decision::kPending: job.source_is_alive(); return true;
    case model::Decision::kCommit:
      log::info("{}: the source had decided to commit", job.describe());
      job.commit();
      return true;
    case model::Decision::kAbort:
      log::info("{}: the source had not decided to commit: aborted", job.describe());
      job.abort();
      return true;
  }
  return false;
}

}  // namespace godwit::engine
