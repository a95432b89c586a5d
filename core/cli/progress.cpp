#include "progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

#include "text.hpp"

namespace godwit::cli {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr size_t kBarCharacters = 24;
constexpr seconds kLineInterval{3};
constexpr milliseconds kBarInterval{100};

double fraction_of(const godwit_progress& progress) {
  if (progress.bytes_total == 0) return 0;
  return static_cast<double>(progress.bytes_done) / static_cast<double>(progress.bytes_total);
}

std::string account(const godwit_progress& progress) {
  std::string text =
      fmt::format("{:3.0f} %  {} of {}", 100 * fraction_of(progress), format_size(static_cast<double>(progress.bytes_done)),
                  format_size(static_cast<double>(progress.bytes_total)));
  if (progress.objects_total > 1) text += fmt::format("  {}/{} regions", progress.objects_done, progress.objects_total);
  text += fmt::format("  {}/s", format_size(progress.bytes_per_second));
  if (progress.eta_seconds >= 0) text += fmt::format("  ETA {}", format_seconds(progress.eta_seconds));
  return text + "  " + printable(progress.phase);
}

}  // namespace

Progress::Progress(bool quiet) : way_(quiet ? Way::kNone : isatty(STDERR_FILENO) != 0 ? Way::kBar : Way::kLines) {
  next_ = begin_ + (way_ == Way::kLines ? milliseconds(kLineInterval) : kBarInterval);
}

Progress::~Progress() {
  if (line_open_) std::fputc('\n', stderr);
}

void Progress::show(const godwit_progress& progress) {
  const auto now = steady_clock::now();
  const bool complete = progress.bytes_done == progress.bytes_total && line_open_;
  switch (way_) {
    case Way::kNone: return;
    case Way::kBar: {
      if (now < next_ && !complete) return;
      next_ = now + kBarInterval;
      const auto filled = static_cast<size_t>(fraction_of(progress) * static_cast<double>(kBarCharacters));
      fmt::print(stderr, "\r\033[K[{}{}] {}", std::string(std::min(filled, kBarCharacters), '='),
                 std::string(kBarCharacters - std::min(filled, kBarCharacters), ' '), account(progress));
      std::fflush(stderr);
      line_open_ = true;
      return;
    }
    case Way::kLines:
      if (now < next_) return;
      next_ = now + kLineInterval;
      fmt::print(stderr, "{}\n", account(progress));
      return;
  }
}

void Progress::show(const char* phase, uint64_t done_bytes, uint64_t total_bytes) {
  const double elapsed = std::chrono::duration<double>(steady_clock::now() - begin_).count();
  godwit_progress progress{};
  progress.bytes_done = done_bytes;
  progress.bytes_total = total_bytes;
  progress.bytes_per_second = elapsed > 0 ? static_cast<double>(done_bytes) / elapsed : 0;
  progress.eta_seconds = progress.bytes_per_second > 0 && total_bytes >= done_bytes
                             ? static_cast<double>(total_bytes - done_bytes) / progress.bytes_per_second
                             : -1;
  fmt::format_to_n(progress.phase, sizeof progress.phase - 1, "{}", phase);
  show(progress);
}

}  // namespace godwit::cli
