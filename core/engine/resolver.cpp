#include "engine/resolver.hpp"

#include "base/log.hpp"
#include "engine/ask_node.hpp"

namespace godwit::engine {

namespace {
constexpr int kWorkers = 8;
}

Resolver::Resolver(const EngineSettings& settings, Domains& domains, JobTable& outbound, InboundTable& inbound)
    : settings_(settings), domains_(domains), outbound_(outbound), inbound_(inbound) {
  threads_.emplace_back([this] { look(); });
  for (int i = 0; i < kWorkers; ++i) threads_.emplace_back([this] { work(); });
}

Resolver::~Resolver() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Resolver::Key Resolver::key_of(const Task& task) {
  return task.outbound ? Key{task.outbound->id(), true} : Key{task.inbound->id(), false};
}

const std::string& Resolver::peer_of(const Task& task) {
  return task.outbound ? task.outbound->destination_address() : task.inbound->source_address();
}

std::vector<Resolver::Task> Resolver::in_doubt() {
  std::vector<Task> tasks;
  for (auto& job : outbound_.unfinished()) tasks.push_back({std::move(job), nullptr});
  for (auto& job : inbound_.in_doubt())
    if (job->source_is_silent()) tasks.push_back({nullptr, std::move(job)});  // Else the decision comes by its connection.
  return tasks;
}

void Resolver::look() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    auto tasks = in_doubt();
    inbound_.forget_ended();
    lock.lock();
    for (Task& task : tasks)
      if (taken_.insert(key_of(task)).second) queue_.push_back(std::move(task));
    std::erase_if(left_alone_, [now = Clock::now()](const auto& peer) { return peer.second <= now; });
    changed_.notify_all();
    changed_.wait_for(lock, settings_.resolve_interval, [this] { return stopping_; });
  }
}

void Resolver::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    Task task = std::move(queue_.front());
    queue_.pop_front();
    const Key key = key_of(task);
    const std::string peer = peer_of(task);
    const auto begun = Clock::now();
    const auto known = left_alone_.find(peer);
    const bool is_asked = known == left_alone_.end() || known->second <= begun;
    lock.unlock();
    const bool has_answered = is_asked && reach(task);
    if (!has_answered && task.inbound) (void)task.inbound->give_up_silent_source();
    task = {};  // Perhaps the last that holds the job.
    lock.lock();
    const auto now = Clock::now();
    if (is_asked && !has_answered) left_alone_.insert_or_assign(peer, now + (now - begun));
    taken_.erase(key);
  }
}

// Whether the peer has answered.
bool Resolver::reach(const Task& task) {
  if (task.outbound) return task.outbound->finish_in_doubt();
  // Its source may have come back while it was queued.
  return !task.inbound->in_doubt() || !task.inbound->source_is_silent() || hears_decision(*task.inbound);
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
