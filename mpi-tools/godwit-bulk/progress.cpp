#include "godwit-bulk/progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "common/units.hpp"

namespace godwit::bulk {
namespace {

// mpirun gives its ranks a terminal of its own making, so its own output decides, where it can be seen.
bool on_terminal() {
  if (!isatty(STDOUT_FILENO)) return false;
  std::error_code error;
  const auto launcher = std::filesystem::read_symlink(fmt::format("/proc/{}/fd/1", getppid()), error);
  return error || launcher.string().starts_with("/dev/");
}

std::string progress_text(const Tally& tally, double seconds) {
  const uint64_t arrived = tally.bytes_arrived();
  const double rate = static_cast<double>(arrived) / seconds;
  const double left = static_cast<double>(tally.bytes_total - std::min(arrived, tally.bytes_total));
  return fmt::format("{} of {} objects, {} of {}, {}/s, {:.0f} s, ETA {}{}", tally.objects + tally.failed, tally.objects_total,
                     size_text(arrived), size_text(tally.bytes_total), size_text(static_cast<uint64_t>(rate)), seconds,
                     arrived ? fmt::format("{:.0f} s", left / rate) : "unknown",
                     tally.failed ? fmt::format(", {} FAILED", tally.failed) : "");
}

}  // namespace

std::string size_text(uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= tools::kGib) return fmt::format("{:.2f} GiB", value / tools::kGib);
  if (value >= 0x1p20) return fmt::format("{:.1f} MiB", value / 0x1p20);
  if (value >= 0x1p10) return fmt::format("{:.1f} KiB", value / 0x1p10);
  return fmt::format("{} B", bytes);
}

Progress::Progress(bool is_quiet) : is_quiet_(is_quiet), is_terminal_(on_terminal()) {}

void Progress::show(const Dispatcher& dispatcher) {
  if (is_quiet_) return;
  const auto now = Clock::now();
  if (now - shown_ < (is_terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(5000))) return;
  shown_ = now;
  const std::string text = progress_text(dispatcher.tally(), dispatcher.seconds());
  if (is_terminal_)
    fmt::print("\r{}\x1b[K", text);
  else
    fmt::print("{}\n", text);
  std::fflush(stdout);
}

void Progress::finish() {
  if (!is_quiet_ && is_terminal_) fmt::print("\r\x1b[K");
}

}  // namespace godwit::bulk
