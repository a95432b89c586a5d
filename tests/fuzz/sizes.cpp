// Sizes as people write them: of the configuration (base/units) and of the command line (core/cli/text).
//
// Must hold: an accepted size is within its bound; a whole number of bytes, KiB or kB is exact; both readers agree where both
// accept; what format_size() prints can be read again and means the same to three digits.
#include <cmath>

#include "base/units.hpp"
#include "fuzz.hpp"
#include "text.hpp"

namespace godwit::fuzz {
namespace {

constexpr uint64_t kSizeMax = uint64_t{1} << 63;

void read_both(const std::string& text) {
  const auto daemon = godwit::parse_size(text);
  const auto command = cli::parse_size(text);
  if (daemon) must(*daemon <= kSizeMax, "the daemon's size is at most 2^63", text);
  if (!daemon) must(daemon.error().code == Errc::kInvalid, "a bad size is kInvalid", text);
  if (daemon && command) must(*daemon == *command, "both readers agree", text);
}

// `about`: to three significant digits.
void expect_again(const std::string& printed, uint64_t bytes) {
  const auto daemon = godwit::parse_size(printed);
  const auto command = cli::parse_size(printed);
  const double most = static_cast<double>(bytes) * 0.006;
  if (bytes > kSizeMax - kSizeMax / 100) return;  // Its rounding may be above the bound.
  must(bool(daemon) && command.has_value(), "a printed size can be read", printed);
  must(std::abs(static_cast<double>(*daemon) - static_cast<double>(bytes)) <= most, "the daemon reads what was printed",
       printed);
  must(std::abs(static_cast<double>(*command) - static_cast<double>(bytes)) <= most, "the command reads what was printed",
       printed);
}

void expect_exact(uint64_t number, const char* unit, uint64_t factor) {
  if (number > (kSizeMax - 1) / factor) return;
  const std::string text = std::to_string(number) + unit;
  const auto daemon = godwit::parse_size(text);
  must(bool(daemon) && *daemon == number * factor, "the daemon's whole sizes are exact", text);
  const auto command = cli::parse_size(text);
  must(command == number * factor, "the command's whole sizes are exact", text);
}

void check(const std::string& text, uint64_t number) {
  read_both(text);
  expect_again(godwit::format_size(number), number);
  expect_again(cli::format_size(static_cast<double>(number)), number);
  expect_exact(number, "", 1);
  expect_exact(number, "B", 1);
  expect_exact(number, " KiB", 1024);
  expect_exact(number, "kb", 1000);
  expect_exact(number, "TiB", uint64_t{1} << 40);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  godwit::fuzz::Input input(data, size);
  const uint64_t number = godwit::fuzz::Input(data, size).any_number();
  godwit::fuzz::check(input.rest_text(), number);
  return 0;
}
