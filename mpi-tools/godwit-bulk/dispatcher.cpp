#include "godwit-bulk/dispatcher.hpp"

namespace godwit::bulk {

uint64_t Tally::bytes_arrived() const {
  uint64_t sum = bytes;
  for (const RankTally& rank : ranks) sum += rank.bytes_under_way;
  return sum;
}

Dispatcher::Dispatcher(const std::vector<Item>& items, const std::vector<Batch>& batches, uint32_t ranks, uint32_t destinations,
                       const std::vector<Failure>& unknown)
    : items_(items), batches_(batches), shares_(batches, ranks) {
  tally_.regions_total = items.size() + unknown.size();
  for (const Item& item : items) tally_.bytes_total += item.size_bytes;
  tally_.failed = unknown.size();
  tally_.failures = unknown;
  tally_.ranks.resize(ranks);
  tally_.destinations.resize(destinations);
}

Order Dispatcher::next(uint32_t rank) {
  const std::lock_guard lock(mutex_);
  const auto given = shares_.next(rank);
  Order order;
  if (!given) {
    ++ranks_told_;
    order.finished = true;
    return order;
  }
  const Batch& batch = batches_[given->batch];
  order.batch = given->batch;
  order.destination = batch.destination;
  for (const uint32_t item : batch.items) order.regions.push_back(items_[item].id);
  ++tally_.ranks[rank].batches;
  if (given->taken_over) ++tally_.ranks[rank].taken_over;
  return order;
}

void Dispatcher::ended(uint32_t rank, const Outcome& outcome) {
  const std::lock_guard lock(mutex_);
  const Batch& batch = batches_[outcome.batch];
  RankTally& by_rank = tally_.ranks[rank];
  DestinationTally& by_destination = tally_.destinations[batch.destination];
  ++batches_ended_;
  by_rank.busy_seconds += outcome.seconds;
  by_rank.bytes_under_way -= std::min(by_rank.bytes_under_way, batch.bytes);
  for (size_t i = 0; i < batch.items.size(); ++i) {
    const Item& item = items_[batch.items[i]];
    const int error = outcome.errors[i];
    if (error == GODWIT_OK) {
      for (auto* counters : {&tally_.regions, &by_rank.regions, &by_destination.regions}) ++*counters;
      for (auto* counters : {&tally_.bytes, &by_rank.bytes, &by_destination.bytes}) *counters += item.size_bytes;
      continue;
    }
    for (auto* counters : {&tally_.failed, &by_rank.failed, &by_destination.failed}) ++*counters;
    char id[33];
    godwit_region_id_format(item.id, id);
    const bool is_alone = batch.items.size() == 1 && !outcome.text.empty();
    tally_.failures.push_back(Failure{item.name, id, error, is_alone ? outcome.text : godwit_error_meaning(error),
                                      static_cast<int>(batch.destination)});
  }
}

void Dispatcher::progressed(uint32_t rank, uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  tally_.ranks[rank].bytes_under_way = bytes;
}

bool Dispatcher::is_finished() const {
  const std::lock_guard lock(mutex_);
  return batches_ended_ == batches_.size() && ranks_told_ == tally_.ranks.size();
}

Tally Dispatcher::tally() const {
  const std::lock_guard lock(mutex_);
  return tally_;
}

}  // namespace godwit::bulk
