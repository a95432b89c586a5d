#include "godwit-bulk/schedule.hpp"

#include <algorithm>
#include <tuple>

namespace godwit::bulk {

Schedule::Schedule(const Items& items, Placement placement, std::vector<Batch> batches, uint32_t sources, uint32_t per_node)
    : items_(items),
      per_node_(per_node),
      placement_(std::move(placement)),
      of_source_(sources),
      of_destination_(placement_.destinations()),
      unreachable_(placement_.destinations()) {
  batches_.reserve(batches.size());
  for (Batch& batch : batches) enqueue(std::move(batch));
}

void Schedule::enqueue(Batch batch) {
  links_[Key{batch.source, batch.destination}].waiting.push_back(static_cast<uint32_t>(batches_.size()));
  batches_.push_back(std::move(batch));
  ++waiting_;
}

void Schedule::begin(uint32_t index) {
  const Batch& batch = batches_[index];
  ++links_[Key{batch.source, batch.destination}].under_way;
  ++of_source_[batch.source];
  ++of_destination_[batch.destination];
  --waiting_;
  ++under_way_;
}

std::optional<Schedule::Next> Schedule::next() {
  Link* best = nullptr;
  std::tuple<uint32_t, uint32_t, uint64_t> best_cost;
  for (auto& [key, link] : links_) {
    if (link.waiting.empty() || !is_free(of_source_, key.first) || !is_free(of_destination_, key.second)) continue;
    const std::tuple cost{link.under_way, of_source_[key.first] + of_destination_[key.second],
                          UINT64_MAX - batches_[link.waiting.front()].weight()};
    if (best && cost >= best_cost) continue;
    best = &link;
    best_cost = cost;
  }
  if (!best) return take_over();
  const uint32_t index = best->waiting.front();
  best->waiting.pop_front();
  begin(index);
  return Next{index, false};
}

std::optional<Schedule::Next> Schedule::take_over() {
  for (auto& [key, link] : links_) {
    if (link.waiting.empty() || !is_free(of_source_, key.first)) continue;
    // The lightest: the destination keeps what it would begin first.
    const uint32_t index = link.waiting.back();
    Batch& batch = batches_[index];
    std::optional<uint16_t> idle;
    for (uint16_t i = 0; i < of_destination_.size(); ++i) {
      const bool was_tried = std::find(batch.tried.begin(), batch.tried.end(), i) != batch.tried.end();
      if (was_tried || !is_free(of_destination_, i) || placement_.is_itself(batch.source, i) ||
          !placement_.has_room(i, batch.kind, batch.bytes))
        continue;
      if (!idle || of_destination_[i] < of_destination_[*idle]) idle = i;
    }
    if (!idle) continue;
    link.waiting.pop_back();
    placement_.give_back(batch.source, batch.destination, batch.kind, batch.bytes);
    placement_.take(batch.source, *idle, batch.kind, batch.bytes);
    batch.destination = *idle;
    begin(index);
    return Next{index, true};
  }
  return std::nullopt;
}

std::vector<Batch> Schedule::ended(uint32_t index, const End& end) {
  Batch again = batches_[index];
  const uint16_t destination = again.destination;
  --links_[Key{again.source, destination}].under_way;
  --of_source_[again.source];
  --of_destination_[destination];
  --under_way_;
  placement_.give_back(again.source, destination, again.kind, again.bytes - std::min(again.bytes, end.bytes_arrived));
  if (end.too_large_bytes) placement_.is_full_for(destination, end.too_large_bytes);
  std::vector<Batch> homeless;
  unreachable_[destination] = end.was_unreachable ? unreachable_[destination] + 1 : 0;
  if (unreachable_[destination] == kUnreachableMax) close(destination, homeless);
  again.tried.push_back(destination);
  again.items = 0;
  again.bytes = 0;
  for (uint32_t i = again.begin; i < again.end; ++i) {
    if (items_[i].state != State::kWaiting) continue;
    ++again.items;
    again.bytes += items_[i].size_bytes;
  }
  place(std::move(again), homeless);
  return homeless;
}

void Schedule::close(uint16_t destination, std::vector<Batch>& homeless) {
  placement_.close(destination);
  std::vector<uint32_t> moving;
  for (auto& [key, link] : links_) {
    if (key.second != destination) continue;
    moving.insert(moving.end(), link.waiting.begin(), link.waiting.end());
    link.waiting.clear();
  }
  waiting_ -= moving.size();
  for (const uint32_t index : moving) place(batches_[index], homeless);
}

void Schedule::place(Batch batch, std::vector<Batch>& homeless) {
  std::vector<Batch> placed;
  place_batch(items_, placement_, std::move(batch), placed, homeless);
  for (Batch& found : placed) enqueue(std::move(found));
}

}  // namespace godwit::bulk
