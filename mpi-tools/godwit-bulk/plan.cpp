#include "godwit-bulk/plan.hpp"

#include <algorithm>
#include <numeric>

namespace godwit::bulk {
namespace {

// So that every rank gets some: no batch is more than a small part of the whole.
PlanSettings fit_to_ranks(PlanSettings settings, const std::vector<Item>& items) {
  const uint64_t parts = uint64_t{settings.ranks} * 4;
  const uint64_t total = std::accumulate(items.begin(), items.end(), uint64_t{0},
                                         [](uint64_t sum, const Item& item) { return sum + item.size_bytes; });
  settings.batch_bytes_max = std::clamp<uint64_t>(total / parts, 1u << 20, settings.batch_bytes_max);
  const auto fair = static_cast<uint32_t>(std::max<uint64_t>(1, items.size() / parts));
  settings.batch_items_max = std::min(settings.batch_items_max, std::max(fair, 16u));
  return settings;
}

}  // namespace

std::vector<Batch> plan_batches(const std::vector<Item>& items, std::vector<uint64_t> free_bytes, const PlanSettings& asked) {
  const PlanSettings settings = fit_to_ranks(asked, items);
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return items[a].size_bytes > items[b].size_bytes; });
  std::vector<Batch> batches;
  std::vector<std::optional<size_t>> open(free_bytes.size());  // Of each destination: the batch that is being filled.
  for (const uint32_t index : order) {
    const uint64_t size = items[index].size_bytes;
    const auto roomiest = std::max_element(free_bytes.begin(), free_bytes.end());
    *roomiest -= std::min(*roomiest, size);
    const auto destination = static_cast<uint32_t>(roomiest - free_bytes.begin());
    std::optional<size_t>& filling = open[destination];
    const bool fits = filling && batches[*filling].items.size() < settings.batch_items_max &&
                      batches[*filling].bytes + size <= settings.batch_bytes_max;
    if (!fits) {
      filling = batches.size();
      batches.push_back(Batch{destination, {}, 0});
    }
    batches[*filling].items.push_back(index);
    batches[*filling].bytes += size;
  }
  return batches;
}

Shares::Shares(const std::vector<Batch>& batches, uint32_t ranks) : shares_(ranks) {
  for (const Batch& batch : batches) weights_.push_back(batch.weight());
  std::vector<uint32_t> order(batches.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return weights_[a] > weights_[b]; });
  for (const uint32_t batch : order) {
    Share& least = *std::min_element(shares_.begin(), shares_.end(),
                                     [](const Share& a, const Share& b) { return a.weight_left < b.weight_left; });
    least.batches.push_back(batch);
    least.weight_left += weights_[batch];
  }
}

std::optional<Shares::Next> Shares::next(uint32_t rank) {
  Share& own = shares_[rank];
  if (own.begun < own.batches.size()) {
    const uint32_t batch = own.batches[own.begun++];
    own.weight_left -= weights_[batch];
    return Next{batch, false};
  }
  Share& slowest = *std::max_element(shares_.begin(), shares_.end(),
                                     [](const Share& a, const Share& b) { return a.weight_left < b.weight_left; });
  if (slowest.begun == slowest.batches.size()) return std::nullopt;
  const uint32_t batch = slowest.batches.back();
  slowest.batches.pop_back();
  slowest.weight_left -= weights_[batch];
  return Next{batch, true};
}

}  // namespace godwit::bulk
