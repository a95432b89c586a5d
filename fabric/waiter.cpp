#include "fabric/waiter.hpp"

#include <poll.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_eq.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "fabric/failure.hpp"

namespace godwit::fabric {

namespace {

// While it lives, a sleep of this thread ends when it should. The kernel adds up to 50 us otherwise, more than a short pause.
class ExactSleep {
 public:
  ExactSleep() : before_ns_(prctl(PR_GET_TIMERSLACK)) { prctl(PR_SET_TIMERSLACK, 1UL); }
  ~ExactSleep() {
    if (before_ns_ > 0) prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(before_ns_));
  }
  ExactSleep(const ExactSleep&) = delete;
  ExactSleep& operator=(const ExactSleep&) = delete;

 private:
  const int before_ns_;
};

}  // namespace

Result<> Waiter::open() {
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_fd_ < 0) return error_from_errno(Errc::kFabric, "eventfd", errno);
  return Done{};
}

Waiter::~Waiter() {
  if (wake_fd_ >= 0) close(wake_fd_);
}

Result<> Waiter::add(fid_fabric* fabric, fid* queue) {
  int fd = -1;
  if (const int code = fi_control(queue, FI_GETWAIT, &fd); code != 0) return fabric_error("fi_control(FI_GETWAIT)", code);
  fabric_ = fabric;
  queues_.push_back(queue);
  fds_.push_back(fd);
  return Done{};
}

void Waiter::wake() {
  woken_.store(true);
  const uint64_t one = 1;
  // Fails only when the counter is full, which wakes as well.
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

bool Waiter::take_wake() {
  if (!woken_.exchange(false)) return false;
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = read(wake_fd_, &count, sizeof(count));
  return true;
}

Result<> Waiter::wait(Clock::duration longest) {
  std::optional<ExactSleep> exact;
  if (queues_.empty()) {
    longest = std::min(longest, pause_);
    if (longest < kExactPause) exact.emplace();
    pause_ = std::min<Clock::duration>(pause_ + pause_ / 8, kLongestPause);
  } else if (fi_trywait(fabric_, queues_.data(), static_cast<int>(queues_.size())) != 0) {
    return Done{};  // Something came in between.
  }
  std::array<pollfd, 4> polled{};
  polled[0] = {wake_fd_, POLLIN, 0};
  nfds_t count = 1;
  for (const int fd : fds_) polled[count++] = {fd, POLLIN, 0};
  const auto whole = std::chrono::duration_cast<std::chrono::nanoseconds>(longest);
  const timespec timeout{whole.count() / 1'000'000'000, whole.count() % 1'000'000'000};
  if (ppoll(polled.data(), count, &timeout, nullptr) < 0 && errno != EINTR) {
    return error_from_errno(Errc::kFabric, "ppoll", errno);
  }
  return Done{};
}

}  // namespace godwit::fabric
