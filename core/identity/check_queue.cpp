#include "identity/check_queue.hpp"

#include <system_error>

namespace godwit::identity {
namespace {

constexpr size_t kThreads = 2;
constexpr size_t kWaitingMax = 4096;  // Each is a connection that its service has taken already.

}  // namespace

CheckQueue::~CheckQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Result<> CheckQueue::submit(std::function<void()> check) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= kWaitingMax) return Error{Errc::kBusy, "too many proofs wait to be checked"};
    if (threads_.size() < kThreads) {
      try {
        threads_.emplace_back([this] { run(); });
      } catch (const std::system_error& error) {
        if (threads_.empty()) return Error{Errc::kBusy, std::string("no thread to check a proof: ") + error.what()};
      }
    }
    queue_.push_back(std::move(check));
  }
  changed_.notify_one();
  return Done{};
}

void CheckQueue::run() {
  for (;;) {
    std::function<void()> check;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (stopping_) return;
      check = std::move(queue_.front());
      queue_.pop_front();
    }
    check();
  }
}

}  // namespace godwit::identity
