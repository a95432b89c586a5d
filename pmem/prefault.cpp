#include "pmem/prefault.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "base/units.hpp"
#include "pmem/machine_memory.hpp"
#include "pmem/shared_space.hpp"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace godwit::pmem {
namespace {

constexpr size_t kChunkBytes = 8_MiB;      // About 2 ms: how long the destructor may wait.
constexpr uint64_t kSpareBytes = 256_MiB;  // Left to the rest of the machine: the out-of-memory killer would take us.

// Adds zero to a byte of each page, atomically: another thread's (or a device's) write is never lost.
__attribute__((no_sanitize("thread"))) void touch(std::span<std::byte> chunk) {
  auto* bytes = reinterpret_cast<unsigned char*>(chunk.data());
  for (size_t at = 0; at < chunk.size(); at += kPageBytes) __atomic_fetch_or(bytes + at, 0, __ATOMIC_RELAXED);
}

// 0, or an errno.
int populate(std::span<std::byte> chunk) {
  int number = fail_point("pmem.populate");
  while (number == 0 && madvise(chunk.data(), chunk.size(), MADV_POPULATE_WRITE) != 0) {
    if (errno == EINTR || errno == EAGAIN) continue;
    number = errno;
  }
  if (number != EINVAL) return number;
  touch(chunk);  // A kernel before 5.14.
  return 0;
}

}  // namespace

Prefault::Prefault(std::string target_name, std::span<std::byte> memory)
    : target_name_(std::move(target_name)), memory_(memory) {
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    log::warn("target '{}': no thread to prefault with ({}): its pages are touched at first use", target_name_, error.what());
    state_.store(State::kIncomplete, std::memory_order_release);
  }
}

Prefault::~Prefault() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

void Prefault::run() {
  for (size_t at = 0; at < memory_.size();) {
    if (stop_.load(std::memory_order_relaxed)) return;
    const auto chunk = memory_.subspan(at, std::min(kChunkBytes, memory_.size() - at));
    const uint64_t available = available_memory_bytes();
    const bool fits = available >= chunk.size() + kSpareBytes;
    const int number = fits ? populate(chunk) : ENOMEM;
    if (number != 0) {
      log::warn("target '{}': prefault stopped at {} of {}: {} ({} available); the rest is touched at first use", target_name_,
                format_size(at), format_size(memory_.size()), std::generic_category().message(number), format_size(available));
      state_.store(State::kIncomplete, std::memory_order_release);
      return;
    }
    at += chunk.size();
    touched_bytes_.store(at, std::memory_order_relaxed);
  }
  state_.store(State::kComplete, std::memory_order_release);
}

}  // namespace godwit::pmem
