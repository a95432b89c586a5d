#include "engine/staging.hpp"

namespace godwit::engine {

Result<std::optional<uint32_t>> Staging::take() {
  auto taken = ring_.take();
  if (!taken) return with_context("staging buffers", std::move(taken).error());
  return taken;
}

Result<pmem::IoQueue*> Staging::queue_of(pmem::Volume& volume) {
  auto& queue = queues_[&volume];
  if (!queue) {
    auto opened = volume.open_queue(64);
    if (!opened) return with_context(volume.describe(), std::move(opened).error());
    queue = std::move(*opened);
  }
  return queue.get();
}

Result<> Staging::submit(pmem::Volume& volume, const pmem::Io& io) {
  auto queue = queue_of(volume);
  if (!queue) return std::move(queue).error();
  for (;;) {
    auto submitted = (*queue)->submit(io);
    if (submitted || submitted.error().code != Errc::kBusy) return submitted;
    auto done = (*queue)->wait(1);  // Full: make room.
    if (!done) return std::move(done).error();
    for (const pmem::IoDone& one : *done) note(one);
  }
}

void Staging::note(const pmem::IoDone& done) {
  const uint64_t token = done.token >> kPieceBits;
  const auto found = works_.find(token);
  Work& work = found->second;
  if (!done.outcome)
    work.failures.emplace_back(work.pieces[done.token & ((uint64_t{1} << kPieceBits) - 1)].object, done.outcome.error());
  if (--work.left > 0) return;
  finished_.push_back({token, std::move(work.failures)});
  works_.erase(found);
}

Result<std::vector<Staging::Finished>> Staging::reap(bool block) {
  for (auto& [volume, queue] : queues_) {
    // A queue with nothing under way returns at once, whatever is asked of it.
    auto done = queue->wait(block && finished_.empty() && !works_.empty() ? 1 : 0);
    if (!done) return with_context(volume->describe(), std::move(done).error());
    for (const pmem::IoDone& one : *done) note(one);
  }
  return std::exchange(finished_, {});
}

}  // namespace godwit::engine
