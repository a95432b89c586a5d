#include "pmem/sync_group.hpp"

namespace godwit::pmem {

Result<> SyncGroup::run() {
  std::unique_lock lock(mutex_);
  const uint64_t wanted = started_ + 1;  // One under way may have passed over what we wrote.
  while (!failure_ && completed_ < wanted) {
    if (running_) {
      ended_.wait(lock);
      continue;
    }
    running_ = true;
    const uint64_t number = ++started_;
    lock.unlock();
    Result<> outcome = flush_();
    lock.lock();
    running_ = false;
    completed_ = number;
    if (!outcome && !failure_) failure_ = std::move(outcome).error();
    ended_.notify_all();
  }
  if (failure_) return *failure_;
  return Done{};
}

}  // namespace godwit::pmem
