#include "base/thread_group.hpp"

#include <fmt/format.h>

#include <system_error>

namespace godwit {

ThreadGroup::ThreadGroup(std::string name, uint32_t limit, std::function<void()> on_start)
    : name_(std::move(name)), limit_(limit), on_start_(std::move(on_start)) {}

ThreadGroup::~ThreadGroup() { join_all(); }

Result<> ThreadGroup::start(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  reap_locked();
  if (running_ >= limit_)
    return Error{Errc::kBusy, fmt::format("the limit of {} {} threads is reached; try again later or raise it", limit_, name_)};
  const uint64_t number = next_++;
  try {
    threads_.emplace(number, std::thread([this, number, work = std::move(work)] {
                       if (on_start_) on_start_();
                       work();
                       const std::lock_guard done(mutex_);
                       finished_.push_back(number);
                       --running_;
                       ended_.notify_all();
                     }));
  } catch (const std::system_error& error) {
    return Error{Errc::kBusy, fmt::format("cannot start a {} thread: {}", name_, error.what())};
  }
  ++running_;
  return Done{};
}

void ThreadGroup::join_all() {
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return running_ == 0; });
  reap_locked();
}

uint32_t ThreadGroup::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

void ThreadGroup::reap_locked() {
  for (const uint64_t number : finished_) {
    const auto found = threads_.find(number);
    found->second.join();  // It has left its critical section, or is about to end without taking the mutex again.
    threads_.erase(found);
  }
  finished_.clear();
}

}  // namespace godwit
