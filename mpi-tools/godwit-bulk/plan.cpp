#include "godwit-bulk/plan.hpp"

#include <algorithm>
#include <utility>

namespace godwit::bulk {
namespace {

// So that every rank gets some: no batch is more than a small part of the whole.
PlanSettings fit_to_ranks(PlanSettings settings, const Items& items) {
  const uint64_t parts = uint64_t{settings.ranks} * 4;
  settings.batch_bytes_max = std::clamp<uint64_t>(items.bytes() / parts, 1u << 20, settings.batch_bytes_max);
  const auto fair = static_cast<uint32_t>(std::max<uint64_t>(1, items.size() / parts));
  settings.batch_items_max = std::min(settings.batch_items_max, std::max(fair, 16u));
  return settings;
}

bool may_join(const Batch& batch, const Item& item, const PlanSettings& settings) {
  return batch.source == item.source && batch.kind == item.kind && item.kind != Kind::kDatabase &&
         batch.items < settings.batch_items_max && batch.bytes + item.size_bytes <= settings.batch_bytes_max;
}

// [begin, end) of the batch, with what waits there.
Batch part_of(const Items& items, const Batch& batch, uint32_t begin, uint32_t end) {
  Batch part = batch;
  part.begin = begin;
  part.end = end;
  part.items = 0;
  part.bytes = 0;
  for (uint32_t i = begin; i < end; ++i) {
    if (items[i].state != State::kWaiting) continue;
    ++part.items;
    part.bytes += items[i].size_bytes;
  }
  return part;
}

}  // namespace

void place_batch(const Items& items, Placement& placement, Batch batch, std::vector<Batch>& placed,
                 std::vector<Batch>& homeless) {
  if (batch.items == 0) return;
  if (const auto destination = placement.choose(batch.source, batch.kind, batch.bytes, batch.tried)) {
    batch.destination = *destination;
    placement.take(batch.source, *destination, batch.kind, batch.bytes);
    placed.push_back(std::move(batch));
  } else if (batch.items == 1) {
    homeless.push_back(std::move(batch));
  } else {
    const uint32_t middle = batch.begin + (batch.end - batch.begin) / 2;
    place_batch(items, placement, part_of(items, batch, batch.begin, middle), placed, homeless);
    place_batch(items, placement, part_of(items, batch, middle, batch.end), placed, homeless);
  }
}

std::vector<Batch> plan_batches(const Items& items, Placement& placement, const PlanSettings& asked) {
  const PlanSettings settings = fit_to_ranks(asked, items);
  std::vector<Batch> batches;
  for (uint32_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    if (batches.empty() || !may_join(batches.back(), item, settings))
      batches.push_back(Batch{i, i, 0, item.kind, item.source, 0, 0, {}});
    Batch& batch = batches.back();
    batch.end = i + 1;
    ++batch.items;
    batch.bytes += item.size_bytes;
  }
  const auto heavier = [](const Batch& a, const Batch& b) { return a.weight() > b.weight(); };
  std::stable_sort(batches.begin(), batches.end(), heavier);
  std::vector<Batch> placed, homeless;
  for (Batch& batch : batches) place_batch(items, placement, std::move(batch), placed, homeless);
  for (Batch& batch : homeless) {
    batch.destination = placement.roomiest(batch.source).value_or(0);
    placement.take(batch.source, batch.destination, batch.kind, batch.bytes);
    placed.push_back(std::move(batch));
  }
  std::stable_sort(placed.begin(), placed.end(), heavier);
  return placed;
}

}  // namespace godwit::bulk
