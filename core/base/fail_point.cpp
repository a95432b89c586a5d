#include "base/fail_point.hpp"

#if defined(GODWIT_FAIL_POINTS)

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.hpp"

namespace godwit {
namespace {

struct Point {
  int number;
  uint64_t at_hit;  // 0: every passage.
  uint64_t hits = 0;
  bool has_failed = false;
};

struct Points {
  std::atomic<bool> any{false};
  std::mutex mutex;  // Guards by_name.
  std::map<std::string, Point, std::less<>> by_name;
};

struct ErrnoName {
  std::string_view name;
  int number;
};
constexpr std::array kErrnoNames{
    ErrnoName{"EPERM", EPERM},           ErrnoName{"ENOENT", ENOENT},
    ErrnoName{"EINTR", EINTR},           ErrnoName{"EIO", EIO},
    ErrnoName{"EAGAIN", EAGAIN},         ErrnoName{"ENOMEM", ENOMEM},
    ErrnoName{"EACCES", EACCES},         ErrnoName{"EBUSY", EBUSY},
    ErrnoName{"EINVAL", EINVAL},         ErrnoName{"EMFILE", EMFILE},
    ErrnoName{"ENOSPC", ENOSPC},         ErrnoName{"EPIPE", EPIPE},
    ErrnoName{"ENOSYS", ENOSYS},         ErrnoName{"EDQUOT", EDQUOT},
    ErrnoName{"ECONNRESET", ECONNRESET}, ErrnoName{"ETIMEDOUT", ETIMEDOUT},
    ErrnoName{"EOPNOTSUPP", EOPNOTSUPP},
};

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, ec] = std::from_chars(text.data(), end, value);
  if (ec != std::errc{} || stop != end) return std::nullopt;
  return value;
}

// Besides errnos, which are small.
constexpr int kKill = 1 << 30;
constexpr int kPause = kKill + 1;

std::optional<int> errno_in(std::string_view text) {
  for (const ErrnoName& row : kErrnoNames)
    if (row.name == text) return row.number;
  if (text == "KILL") return kKill;
  if (text == "PAUSE") return kPause;
  const auto number = whole_number<int>(text);
  if (!number || *number <= 0) return std::nullopt;
  return number;
}

std::optional<std::pair<std::string, Point>> parse_point(std::string_view text) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) return std::nullopt;
  std::string_view value = text.substr(equals + 1);
  uint64_t at_hit = 0;
  if (const size_t at = value.find('@'); at != std::string_view::npos) {
    const auto hit = whole_number<uint64_t>(value.substr(at + 1));
    if (!hit || *hit == 0) return std::nullopt;
    at_hit = *hit;
    value = value.substr(0, at);
  }
  const auto number = errno_in(value);
  if (!number) return std::nullopt;
  return std::pair{std::string(text.substr(0, equals)), Point{*number, at_hit}};
}

Result<std::map<std::string, Point, std::less<>>> parse_points(std::string_view text) {
  std::map<std::string, Point, std::less<>> points;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view one = text.substr(0, comma);
    auto point = parse_point(one);
    if (!point) return Error{Errc::kInvalid, fmt::format("'{}' is no fail point: write name=errno or name=errno@hit", one)};
    points.insert_or_assign(std::move(point->first), point->second);
    text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
  }
  return points;
}

// Made on first use, from the environment; never destroyed, because threads may outlive main().
Points& points() {
  static Points& all = *[] {
    auto* made = new Points;
    const char* text = std::getenv("GODWIT_FAIL");
    if (text == nullptr) return made;
    auto parsed = parse_points(text);
    if (!parsed) {
      log::error("GODWIT_FAIL: {}", parsed.error().text);
      std::exit(2);  // A test that asked for a failure must not run without it.
    }
    made->by_name = std::move(*parsed);
    made->any = !made->by_name.empty();
    return made;
  }();
  return all;
}

// Whoever set the point sees the file, does what it wants to do meanwhile, and removes it.
void pause(std::string_view name) {
  const char* directory = std::getenv("GODWIT_FAIL_PAUSES");
  const std::string path = fmt::format("{}/{}", directory == nullptr ? "." : directory, name);
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    log::error("GODWIT_FAIL: no pause at '{}': {}: {}", name, path, std::generic_category().message(errno));
    std::exit(2);
  }
  close(fd);
  while (access(path.c_str(), F_OK) == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

int number_now(Points& all, std::string_view name) {
  const std::lock_guard lock(all.mutex);
  const auto found = all.by_name.find(name);
  if (found == all.by_name.end()) return 0;
  Point& point = found->second;
  ++point.hits;
  if (point.at_hit != 0 && point.at_hit != point.hits) return 0;
  // A test wants to know that what it asked for has happened.
  if (!std::exchange(point.has_failed, true)) log::info("GODWIT_FAIL: {}", name);
  return point.number;
}

}  // namespace

int fail_point(std::string_view name) {
  Points& all = points();
  if (!all.any.load(std::memory_order_relaxed)) return 0;
  const int number = number_now(all, name);
  if (number == kKill) raise(SIGKILL);
  if (number != kPause) return number;
  pause(name);
  return 0;
}

void set_fail_point(std::string_view name, int number, uint64_t at_hit) {
  Points& all = points();
  const std::lock_guard lock(all.mutex);
  if (number == 0) {
    if (const auto found = all.by_name.find(name); found != all.by_name.end()) all.by_name.erase(found);
  } else {
    all.by_name.insert_or_assign(std::string(name), Point{number, at_hit});
  }
  all.any = !all.by_name.empty();
}

void clear_fail_points() {
  Points& all = points();
  const std::lock_guard lock(all.mutex);
  all.by_name.clear();
  all.any = false;
}

Result<> set_fail_points(std::string_view text) {
  auto parsed = parse_points(text);
  if (!parsed) return std::move(parsed).error();
  Points& all = points();
  const std::lock_guard lock(all.mutex);
  for (auto& [name, point] : *parsed) all.by_name.insert_or_assign(name, point);
  all.any = !all.by_name.empty();
  return Done{};
}

void crash_point(std::string_view name) {
  if (fail_point(name) != 0) raise(SIGKILL);
}

}  // namespace godwit

#endif
