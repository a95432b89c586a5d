#include "base/id.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>

namespace godwit {

Id random_id() {
  // One system call serves 64 ids: a client may create tens of thousands a second.
  thread_local Id stock[64];
  thread_local size_t left = 0;
  if (left == 0) {
    auto* bytes = reinterpret_cast<unsigned char*>(stock);
    for (size_t got = 0; got < sizeof stock;) {
      const ssize_t n = getrandom(bytes + got, sizeof stock - got, 0);
      if (n < 0 && errno != EINTR) std::abort();  // A kernel without getrandom runs nothing of ours.
      if (n > 0) got += static_cast<size_t>(n);
    }
    left = std::size(stock);
  }
  return stock[--left];
}

std::string to_string(const Id& id) { return fmt::format("{:016x}{:016x}", id.high, id.low); }

std::optional<Id> parse_id(std::string_view text) {
  if (text.size() != 32) return std::nullopt;
  Id id;
  const char* middle = text.data() + 16;
  const auto high = std::from_chars(text.data(), middle, id.high, 16);
  const auto low = std::from_chars(middle, middle + 16, id.low, 16);
  if (high.ec != std::errc{} || high.ptr != middle || low.ec != std::errc{} || low.ptr != middle + 16) return std::nullopt;
  return id;
}

}  // namespace godwit
