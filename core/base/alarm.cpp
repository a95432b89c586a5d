#include "base/alarm.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

namespace godwit {

Result<> Alarm::set(Clock::time_point when, std::function<void()> ring) {
  clear();
  cleared_ = false;
  try {
    thread_ = std::thread([this, when, ring = std::move(ring)] {
      {
        std::unique_lock lock(mutex_);
        if (changed_.wait_until(lock, when, [this] { return cleared_; })) return;
      }
      ring();
    });
  } catch (const std::system_error& error) {
    return Error{Errc::kBusy, fmt::format("cannot start a thread: {}", error.what())};
  }
  return Done{};
}

void Alarm::clear() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    cleared_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace godwit
