#include "bench/text.hpp"

#include <stdexcept>

#include "base/units.hpp"

namespace godwit::bench {

uint64_t size_from_text(const std::string& text) {
  const auto bytes = parse_size(text);
  if (!bytes) throw std::runtime_error(bytes.error().text);
  return *bytes;
}

std::string text_from_size(uint64_t bytes) {
  for (const auto& [unit, name] : {std::pair{1_GiB, "GiB"}, std::pair{1_MiB, "MiB"}, std::pair{1_KiB, "KiB"}})
    if (bytes && bytes % unit == 0) return std::to_string(bytes / unit) + " " + name;
  return format_size(bytes);
}

}  // namespace godwit::bench
