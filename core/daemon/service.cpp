#include "daemon/service.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/units.hpp"
#include "engine/caller.hpp"

namespace godwit::daemon {
namespace {

// Our clients await each answer before they ask again, so this bounds the memory of others only.
constexpr uint32_t kWaitingMax = 64;  // Requests of one session.
constexpr uint64_t kWaitingBytesMax = 256_MiB;

Error too_many() { return Error{Errc::kBusy, "too many requests wait for their answers; ask again later"}; }

}  // namespace

Result<std::unique_ptr<Service>> Service::open(Node& node, const std::string& listen) {
  auto wanted = fabric::parse_address(listen);
  if (!wanted) return std::move(wanted).error();
  node.domains.bind(*wanted);
  auto domain = node.domains.of(*wanted);
  if (!domain) return with_context("listen " + listen, std::move(domain).error());
  // A client that is not waiting for us does not answer heartbeats: silence says little. Most providers tell when it dies.
  fabric::HubSettings settings;
  settings.heartbeat = std::chrono::minutes(1);
  settings.peer_timeout = std::chrono::minutes(10);
  settings.handshake_timeout = node.settings.engine.connect_timeout;
  settings.receive_buffers = 4;  // A client waits for its answer; there may be a thousand of them.
  auto hub = fabric::Hub::open(*domain, settings);
  if (!hub) return with_context("listen " + listen, std::move(hub).error());
  auto address = (*hub)->listen(wanted->location);
  if (!address) return with_context("listen " + listen, std::move(address).error());
  return std::unique_ptr<Service>(new Service(node, std::move(*domain), std::move(*hub), fabric::to_string(*address)));
}

Service::~Service() { stop(); }

void Service::start() {
  thread_ = std::thread([this] {
    node_.topology->pin_thread();
    run();
  });
}

void Service::stop() {
  stopping_ = true;
  hub_->wake();
  if (thread_.joinable()) thread_.join();
}

void Service::run() {
  while (!stopping_) {
    take_posted();
    if (auto progressed = hub_->progress(*this, next_deadline()); !progressed) {
      log::error("the service at {} ends: {}", address_, progressed.error().text);
      return;
    }
    answer_waiters(Id{});
  }
}

Deadline Service::next_deadline() const {
  auto time = Clock::now() + std::chrono::seconds(60);
  for (const Waiter& waiter : waiters_) time = std::min(time, waiter.deadline.time());
  return Deadline::at(time);
}

// ---------------------------------------------------------------- from other threads

void Service::post(Posted posted) {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(posted));
  }
  hub_->wake();
}

void Service::job_ended(const Id& job) { post({fabric::ConnectionId{}, {}, 0, job}); }

void Service::take_posted() {
  std::vector<Posted> posted;
  {
    const std::lock_guard lock(mutex_);
    posted.swap(posted_);
  }
  for (const Posted& one : posted) {
    if (one.reply.empty()) {
      answer_waiters(one.ended_job);
      continue;
    }
    waits_no_more(one.connection, one.request_bytes);
    send(one.connection, one.reply);
  }
}

// Those whose job is `ended_job`, and those whose time is over.
void Service::answer_waiters(const Id& ended_job) {
  for (auto waiter = waiters_.begin(); waiter != waiters_.end();) {
    if (waiter->job != ended_job && !waiter->deadline.passed()) {
      ++waiter;
      continue;
    }
    waits_no_more(waiter->connection, 0);
    send(waiter->connection, requests_.job_status(waiter->request, waiter->job));
    waiter = waiters_.erase(waiter);
  }
}

void Service::send(fabric::ConnectionId connection, std::span<const std::byte> reply) {
  if (auto sent = hub_->send(connection, reply); !sent) log::debug("an answer was not sent: {}", sent.error().text);
}

bool Service::may_wait(fabric::ConnectionId connection, uint64_t bytes) {
  uint32_t& waiting = sessions_[static_cast<uint64_t>(connection)];
  if (waiting >= kWaitingMax || waiting_bytes_ + bytes > kWaitingBytesMax) return false;
  ++waiting;
  waiting_bytes_ += bytes;
  return true;
}

void Service::waits_no_more(fabric::ConnectionId connection, uint64_t bytes) {
  waiting_bytes_ -= bytes;
  if (const auto session = sessions_.find(static_cast<uint64_t>(connection)); session != sessions_.end()) --session->second;
}

// ---------------------------------------------------------------- from the hub

void Service::on_incoming(fabric::Incoming incoming) {
  const fabric::Hello hello = incoming.hello();
  const std::string peer = incoming.peer();
  Result<> served = Done{};
  switch (hello.purpose) {
    case fabric::Purpose::kControl: {
      if (sessions_.size() >= node_.settings.sessions_max) {
        log::warn("{} is refused: sessions_max ({}) is reached", peer, node_.settings.sessions_max);
        hub_->refuse(std::move(incoming), {Errc::kBusy});
        return;
      }
      auto accepted = hub_->accept(std::move(incoming));
      if (accepted)
        node_.settings.engine.totals->sessions += sessions_.emplace(static_cast<uint64_t>(*accepted), 0).second ? 1 : 0;
      else
        served = std::move(accepted).error();
      break;
    }
    case fabric::Purpose::kJob: served = node_.inbound->serve_job(domain_, std::move(incoming)); break;
    case fabric::Purpose::kStream:
      served = hello.token.is_zero() ? node_.streams->serve(domain_, std::move(incoming), address_)
                                     : node_.inbound->serve_stream(domain_, std::move(incoming));
      break;
  }
  if (!served) log::warn("{} is not served: {}", peer, served.error().text);
}

void Service::on_open(fabric::ConnectionId) {}
void Service::on_rma(fabric::ConnectionId, uint64_t, Result<>) {}

void Service::on_closed(fabric::ConnectionId connection, Error reason) {
  log::debug("a session ended: {}", reason.text);
  node_.settings.engine.totals->sessions -= static_cast<int64_t>(sessions_.erase(static_cast<uint64_t>(connection)));
  std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.connection == connection; });
}

void Service::on_message(fabric::ConnectionId connection, std::span<const std::byte> message) {
  auto decoded = protocol::decode(message);
  if (!decoded) {
    // What follows on this connection cannot be trusted.
    log::warn("{}: {}", hub_->peer(connection), decoded.error().text);
    send(connection, requests_.refuse(0, decoded.error()));
    hub_->close(connection);
    on_closed(connection, decoded.error());
    return;
  }
  const objects::Caller caller = engine::caller_of(hub_->identity(connection));
  requests_.act_for(caller);
  if (const auto* job = decoded->body<wire::JobRequest>();
      job != nullptr && job->wait_ms() > 0 && job->action() == wire::JobAction::none) {
    constexpr uint32_t kWaitMsMax = 60'000;
    const auto permitted = requests_.permit(*decoded);
    const auto runs = permitted ? requests_.steer(*job) : Result<bool>(permitted.error());
    if (!runs) {
      if (const auto sought = requests_.sought_by(*decoded, runs.error())) return seek(connection, *sought);
      return send(connection, requests_.refuse(decoded->request(), runs.error()));
    }
    if (*runs) {
      if (!may_wait(connection, 0)) return send(connection, requests_.refuse(decoded->request(), too_many()));
      waiters_.push_back({connection, decoded->request(), protocol::from_wire(job->job()),
                          Deadline::after(milliseconds(std::min(job->wait_ms(), kWaitMsMax)))});
      return;
    }
  }
  const bool waits_for_group = requests_.waits_for_group(*decoded);
  if (!waits_for_group && !requests_.waits_for_disk(*decoded)) {
    const auto reply = requests_.answer(*decoded);
    if (requests_.sought()) return seek(connection, *requests_.sought());
    send(connection, reply);
    return;
  }
  if (!may_wait(connection, message.size())) return send(connection, requests_.refuse(decoded->request(), too_many()));
  // The message lives only during this call: the worker gets its own.
  auto copy = std::make_shared<std::vector<std::byte>>(message.begin(), message.end());
  auto work = [this, connection, copy, caller] {
    Requests requests(node_, address_, caller);
    auto again = protocol::decode(*copy);
    const auto reply = requests.answer(*again);
    // Members that do not answer shall not keep those from a worker who wait for the disk.
    if (requests.sought()) return submit_search(connection, copy->size(), *requests.sought());
    post({connection, {reply.begin(), reply.end()}, copy->size(), {}});
  };
  if (waits_for_group)
    node_.group->submit(std::move(work));
  else
    node_.workers->submit(std::move(work));
}

void Service::seek(fabric::ConnectionId connection, const Sought& sought) {
  if (!may_wait(connection, 0)) return send(connection, requests_.refuse(sought.request, too_many()));
  submit_search(connection, 0, sought);
}

void Service::submit_search(fabric::ConnectionId connection, uint64_t request_bytes, const Sought& sought) {
  node_.group->submit([this, connection, request_bytes, sought] {
    Requests requests(node_, address_);
    const auto reply = requests.seek(sought);
    post({connection, {reply.begin(), reply.end()}, request_bytes, {}});
  });
}

}  // namespace godwit::daemon
