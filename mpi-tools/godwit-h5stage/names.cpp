#include "godwit-h5stage/names.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

constexpr std::string_view kMark = ".h5stage";
constexpr size_t kNameMax = 100;  // A region's name has 128 bytes.
constexpr size_t kDigitsMin = 6, kDigitsMax = 15;
constexpr std::string_view kNext = ".next";

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

}  // namespace

void check_stage_name(std::string_view name) {
  const auto refuse = [name](std::string_view why) {
    throw Failure(GODWIT_ERR_INVALID,
                  fmt::format("'{}' cannot be a stage's name, as it {}; give another with --name", name, why));
  };
  if (name.empty()) refuse("is empty");
  if (name.size() > kNameMax) refuse(fmt::format("has more than {} bytes", kNameMax));
  if (std::ranges::any_of(name, [](char letter) { return (letter >= 0 && letter < ' ') || letter == 0x7f; }))
    refuse("has a control character");
  try {
    (void)nlohmann::json(name).dump();
  } catch (const nlohmann::json::exception&) {
    throw Failure(GODWIT_ERR_INVALID, "a stage's name is UTF-8; give another with --name");
  }
  if (name.find(kMark) != std::string_view::npos) refuse(fmt::format("has '{}' in it", kMark));
}

std::string stage_name_of(std::string_view file) {
  std::string_view name = file.substr(file.rfind('/') + 1);
  for (const std::string_view end : {".h5", ".hdf5", ".nc"})
    if (name.size() > end.size() && name.ends_with(end)) return std::string(name.substr(0, name.size() - end.size()));
  return std::string(name);
}

std::string head_name(std::string_view stage) { return fmt::format("{}{}", stage, kMark); }

std::string next_head_name(std::string_view stage) { return fmt::format("{}{}{}", stage, kMark, kNext); }

std::string part_name(std::string_view stage, size_t part) { return fmt::format("{}{}.{:06}", stage, kMark, part); }

std::optional<OfStage> stage_of_region(std::string_view region) {
  const size_t mark = region.find(kMark);
  if (mark == std::string_view::npos || mark == 0) return std::nullopt;
  const std::string_view rest = region.substr(mark + kMark.size());
  OfStage of{std::string(region.substr(0, mark)), rest.empty(), rest == kNext};
  if (of.is_head || of.is_next_head) return of;
  const bool is_part = rest.size() > kDigitsMin && rest.size() <= kDigitsMax + 1 && rest.front() == '.' &&
                       std::ranges::all_of(rest.substr(1), [](char c) { return is_digit(c); });
  if (!is_part) return std::nullopt;
  std::from_chars(rest.data() + 1, rest.data() + rest.size(), of.part);
  return of;
}

}  // namespace godwit::h5stage
