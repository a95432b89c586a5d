#include "godwit-bulk/dispatcher.hpp"

#include <algorithm>
#include <utility>

namespace godwit::bulk {

bool is_destinations_fault(int error, Kind kind) {
  switch (error) {
    case GODWIT_ERR_NO_SPACE:
    case GODWIT_ERR_TIMEOUT:
    case GODWIT_ERR_UNREACHABLE:
    case GODWIT_ERR_PEER_LOST:
    case GODWIT_ERR_VERSION:
    case GODWIT_ERR_DIGEST:
    case GODWIT_ERR_IO:
    case GODWIT_ERR_PMEM:
    case GODWIT_ERR_FABRIC:
    case GODWIT_ERR_MEMORY:
    case GODWIT_ERR_DENIED: return true;                          // By its file_roots, or by its hook.
    case GODWIT_ERR_UNSUPPORTED: return kind == Kind::kDatabase;  // No database_root there.
    default: return false;
  }
}

Dispatcher::Dispatcher(const Run& run, Schedule schedule, Tally begun)
    : run_(run), schedule_(std::move(schedule)), tally_(std::move(begun)) {
  tally_.objects_total += run_.items.size();
  tally_.bytes_total = run_.items.bytes();
  tally_.ranks.resize(run_.ranks);
  tally_.sources.resize(run_.nodes.from.size());
  tally_.destinations.resize(run_.nodes.to.size());
}

double Dispatcher::seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

uint64_t Dispatcher::share_locked() const {
  if (run_.options.bandwidth == 0) return 0;
  return std::max<uint64_t>(1, run_.options.bandwidth / std::max(schedule_.under_way(), 1u));
}

uint64_t Dispatcher::share() const {
  const std::lock_guard lock(mutex_);
  return share_locked();
}

Order Dispatcher::order_of(const Batch& batch, uint32_t index, const UnderWay& call) const {
  Order order;
  order.kind = batch.kind;
  order.batch = index;
  order.bandwidth = share_locked();
  order.source = run_.nodes.from[batch.source];
  order.destination = run_.nodes.to[batch.destination];
  for (const uint32_t item : call.items) order.ids.push_back(run_.items[item].id);
  if (batch.kind != Kind::kFiles) return order;
  order.directory = directory_of(run_.options.to_root, order.source);
  for (const uint32_t item : call.items) order.paths.append(run_.items.name(run_.items[item])).push_back('\0');
  return order;
}

std::optional<Order> Dispatcher::next(uint32_t rank) {
  const std::lock_guard lock(mutex_);
  const auto given = schedule_.next();
  if (!given) {
    if (!schedule_.is_finished()) return std::nullopt;
    ++ranks_told_;
    Order order;
    order.finished = true;
    return order;
  }
  const Batch& batch = schedule_.batch(given->batch);
  UnderWay& call = under_way_[given->batch];
  call = UnderWay{rank, seconds(), {}};
  for (uint32_t i = batch.begin; i < batch.end; ++i) {
    Item& item = run_.items[i];
    if (item.state != State::kWaiting) continue;
    item.state = State::kUnderWay;
    item.destination = batch.destination;
    call.items.push_back(i);
  }
  ++tally_.ranks[rank].calls;
  if (given->taken_over) ++tally_.ranks[rank].taken_over;
  if (run_.lines) {  // Before the rank hears of it: whatever it does then is in the report.
    run_.lines->call_given(given->batch, rank, run_.nodes.from[batch.source], run_.nodes.to[batch.destination], run_.items,
                           call.items, call.begin_seconds);
    run_.lines->flush();
  }
  return order_of(batch, given->batch, call);
}

void Dispatcher::started(uint32_t index, const std::string& job) {
  if (!run_.lines) return;
  const std::lock_guard lock(mutex_);
  run_.lines->call_started(index, job);
  run_.lines->flush();
}

Fate Dispatcher::fate_of(const Batch& batch, uint32_t index, const UnderWay& call, double end_seconds) const {
  return Fate{
      run_.nodes.from[batch.source], run_.nodes.to[batch.destination], "", call.rank, index, call.begin_seconds, end_seconds};
}

void Dispatcher::arrived(const Item& item, RankTally& by_rank, NodeTally& by_source, NodeTally& by_destination) {
  for (auto* counters : {&tally_.objects, &by_rank.objects, &by_source.objects, &by_destination.objects}) ++*counters;
  for (auto* counters : {&tally_.bytes, &by_rank.bytes, &by_source.bytes, &by_destination.bytes}) *counters += item.size_bytes;
}

void Dispatcher::fail(Item& item, const Fate& fate, bool was_sent) {
  if (tally_.first_error == GODWIT_OK) tally_.first_error = item.error;
  ++tally_.failed;
  ++tally_.sources[item.source].failed;
  if (was_sent) {
    ++tally_.ranks[fate.rank].failed;
    ++tally_.destinations[item.destination].failed;
  }
  if (tally_.failures.size() < kFailuresKept)
    tally_.failures.push_back(Failure{item.kind, run_.items.label(item), text_of(item.id), item.error, std::string(fate.text),
                                      item.source, was_sent ? item.destination : -1});
  if (run_.lines) run_.lines->item(run_.items, item, fate);
}

void Dispatcher::ended(uint32_t rank, const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  const Batch batch = schedule_.batch(outcome.batch);  // A copy: the schedule will grow.
  const UnderWay call = std::move(under_way_.extract(outcome.batch).mapped());
  RankTally& by_rank = tally_.ranks[rank];
  CallRecord record{rank, batch.source, batch.destination, call.begin_seconds, seconds(), 0, 0, outcome.error};
  Fate fate = fate_of(batch, outcome.batch, call, record.end_seconds);
  Schedule::End end;
  uint64_t again = 0;
  for (size_t i = 0; i < call.items.size(); ++i) {
    Item& item = run_.items[call.items[i]];
    item.error = static_cast<int16_t>(outcome.errors.at(i));
    if (item.attempts < UINT8_MAX) ++item.attempts;
    if (item.error == GODWIT_OK) {
      item.state = State::kArrived;
      arrived(item, by_rank, tally_.sources[batch.source], tally_.destinations[batch.destination]);
      ++record.objects;
      record.bytes += item.size_bytes;
      if (run_.lines) run_.lines->item(run_.items, item, fate);
      continue;
    }
    if (item.error == GODWIT_ERR_NO_SPACE && (end.too_large_bytes == 0 || item.size_bytes < end.too_large_bytes))
      end.too_large_bytes = std::max<uint64_t>(item.size_bytes, 1);
    if (outcome.has_job && !outcome.is_open && item.attempts <= run_.options.retries &&
        is_destinations_fault(item.error, item.kind)) {
      item.state = State::kWaiting;
      ++again;
      continue;
    }
    item.state = outcome.is_open ? State::kInDoubt : State::kFailed;
    const bool is_alone = call.items.size() == 1 && !outcome.text.empty();
    fate.text = is_alone || outcome.is_open ? std::string_view(outcome.text) : godwit_error_meaning(item.error);
    fail(item, fate, true);
  }
  end.bytes_arrived = record.bytes;
  // Of a call that is open its source has told nothing: it may be the source that is away.
  end.was_unreachable =
      outcome.has_job && !outcome.is_open &&
      (outcome.has_stalled || outcome.error == GODWIT_ERR_UNREACHABLE || outcome.error == GODWIT_ERR_PEER_LOST);
  by_rank.busy_seconds += record.end_seconds - record.begin_seconds;
  by_rank.bytes_under_way -= std::min(by_rank.bytes_under_way, batch.bytes);
  LinkTally& link = link_of(batch);
  ++link.calls;
  link.objects += record.objects;
  link.bytes += record.bytes;
  ++calls_total_;
  if (calls_.size() < kCallsKept) calls_.push_back(record);
  const uint64_t failed_before = tally_.failed;
  fail_homeless(schedule_.ended(outcome.batch, end), outcome, fate);
  tally_.retried += again - std::min(again, tally_.failed - failed_before);
  if (end.was_unreachable) note_given_up();
  if (!run_.lines) return;
  run_.lines->call_ended(outcome.batch, record, outcome.is_open);
  run_.lines->flush();
}

void Dispatcher::fail_homeless(const std::vector<Batch>& homeless, const Outcome& outcome, const Fate& fate) {
  for (const Batch& batch : homeless)
    for (uint32_t i = batch.begin; i < batch.end; ++i) {
      Item& item = run_.items[i];
      if (item.state != State::kWaiting) continue;
      item.state = State::kFailed;
      Fate own = fate;
      if (item.attempts == 0) {
        item.error = GODWIT_ERR_UNREACHABLE;
        own = Fate{run_.nodes.from[item.source], "", "no destination that answers has room for it", 0, 0, 0, 0};
      } else {
        own.source = run_.nodes.from[item.source];
        own.destination = run_.nodes.to[item.destination];
        own.text = outcome.text.empty() ? godwit_error_meaning(item.error) : std::string_view(outcome.text);
      }
      fail(item, own, item.attempts != 0);
    }
}

LinkTally& Dispatcher::link_of(const Batch& batch) {
  const auto [found, is_new] = links_.try_emplace({batch.source, batch.destination}, tally_.links.size());
  if (is_new) tally_.links.push_back(LinkTally{batch.source, batch.destination, 0, 0, 0});
  return tally_.links[found->second];
}

void Dispatcher::note_given_up() {
  tally_.given_up.clear();
  for (uint16_t i = 0; i < run_.nodes.to.size(); ++i)
    if (schedule_.is_closed(i)) tally_.given_up.push_back(run_.nodes.to[i]);
}

void Dispatcher::progressed(uint32_t rank, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  tally_.ranks[rank].bytes_under_way = bytes;
}

bool Dispatcher::is_finished() const {
  const std::lock_guard lock(mutex_);
  return schedule_.is_finished() && ranks_told_ == tally_.ranks.size();
}

Tally Dispatcher::tally() const {
  const std::lock_guard lock(mutex_);
  return tally_;
}

std::vector<CallRecord> Dispatcher::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

uint64_t Dispatcher::calls_total() const {
  const std::lock_guard lock(mutex_);
  return calls_total_;
}

}  // namespace godwit::bulk
