#include "fabric/raw_loop.hpp"

#include <fmt/format.h>
#include <rdma/fabric.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <type_traits>
#include <vector>

#include "fabric/raw_side.hpp"

namespace godwit::fabric {
namespace {

// ------------------------------------------------------------------ the pipe between the two processes

// Fixed-size words over a socket pair; outlives neither process.
class Pipe {
 public:
  explicit Pipe(int descriptor, milliseconds silence) : descriptor_(descriptor) {
    const auto count = silence.count();
    timeval limit{static_cast<time_t>(count / 1000), static_cast<suseconds_t>(count % 1000 * 1000)};
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { close(descriptor_); }

  template <class T>
  Result<> put(const T& value) const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (::send(descriptor_, &value, sizeof value, MSG_NOSIGNAL) == ssize_t{sizeof value}) return Done{};
    return Error{Errc::kPeerLost, "raw loop: the other process has ended"};
  }
  template <class T>
  Result<T> get() const {
    T value;
    const ssize_t got = recv(descriptor_, &value, sizeof value, MSG_WAITALL);
    if (got == ssize_t{sizeof value}) return value;
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return Error{Errc::kTimeout, "raw loop: the other process is silent"};
    return Error{Errc::kPeerLost, "raw loop: the other process has ended"};
  }
  // Whether something (or the end) can be read now.
  bool readable() const {
    char byte;
    const ssize_t got = recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got >= 0 || (errno != EAGAIN && errno != EINTR);
  }

 private:
  int descriptor_;
};

// ------------------------------------------------------------------ the two processes

// Owns the remote memory, and polls until the other process says (or shows) that it is over.
Result<> serve(const RawLoopSettings& settings, const Pipe& pipe) {
  RawSide side{settings};
  if (auto done = side.choose(nullptr); !done) return done;
  if (auto done = side.open(); !done) return done;
  auto name = side.is_msg() ? side.listen() : side.name();
  if (!name) return name.error();
  if (auto done = pipe.put(*name); !done) return done;
  auto peer = pipe.get<RawName>();
  if (!peer) return peer.error();
  if (auto done = side.is_msg() ? side.accept() : side.insert(*peer); !done) return done;
  if (auto done = pipe.put(side.expose()); !done) return done;
  for (uint32_t round = 1;; ++round) {
    if (auto polled = side.poll(); !polled) break;  // The initiator has closed.
    if (round % 4096 == 0 && pipe.readable()) break;
  }
  return Done{};
}

Result<std::vector<double>> initiate(const RawLoopSettings& settings, const Pipe& pipe) {
  RawSide side{settings};
  auto peer = pipe.get<RawName>();
  if (!peer) return peer.error();
  if (auto done = side.choose(side.is_msg() ? &*peer : nullptr); !done) return done.error();
  if (auto done = side.open(); !done) return done.error();
  auto own = side.is_msg() ? Result<RawName>{RawName{}} : side.name();
  if (!own) return own.error();
  if (auto done = pipe.put(*own); !done) return done.error();
  if (auto done = side.is_msg() ? side.connect(*peer) : side.insert(*peer); !done) return done.error();
  auto memory = pipe.get<RawMemory>();
  if (!memory) return memory.error();
  if (auto warm = side.run(*memory, 2 * settings.depth); !warm) return warm.error();
  std::vector<double> seconds;
  for (uint32_t repeat = 0; repeat < settings.repeats; ++repeat) {
    auto one = side.run(*memory, settings.operations);
    if (!one) return one.error();
    seconds.push_back(*one);
  }
  return seconds;
}

double processor_seconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  const auto seconds = [](timeval time) { return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void run_child(const RawLoopSettings& settings, int descriptor) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const Pipe pipe{descriptor, settings.silence};
  const auto outcome = serve(settings, pipe);
  if (!outcome) fmt::print(stderr, "{}\n", outcome.error().text);
  _exit(outcome ? 0 : 1);
}

}  // namespace

Result<RawLoopResult> run_raw_loop(const RawLoopSettings& settings) {
  if (!settings.operation_bytes || !settings.operations || !settings.depth || !settings.repeats)
    return Error{Errc::kInvalid, "raw loop: sizes and counts must not be zero"};
  if (settings.span_bytes && settings.span_bytes < settings.operation_bytes)
    return Error{Errc::kInvalid, "raw loop: the span is shorter than one operation"};
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return error_from_errno(Errc::kInternal, "raw loop: socketpair", errno);
  const double before = processor_seconds(RUSAGE_SELF) + processor_seconds(RUSAGE_CHILDREN);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    run_child(settings, ends[1]);
  }
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    return error_from_errno(Errc::kInternal, "raw loop: fork", errno);
  }
  auto seconds = [&] {
    const Pipe pipe{ends[0], settings.silence};
    return initiate(settings, pipe);
  }();  // The pipe is closed: the child ends.
  int status = 0;
  waitpid(child, &status, 0);
  if (!seconds) return seconds.error();
  std::sort(seconds->begin(), seconds->end());
  RawLoopResult result;
  result.seconds = seconds->front();
  result.median_seconds = (*seconds)[seconds->size() / 2];
  result.processor_seconds = processor_seconds(RUSAGE_SELF) + processor_seconds(RUSAGE_CHILDREN) - before;
  return result;
}

}  // namespace godwit::fabric
