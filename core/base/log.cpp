#include "base/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>

namespace godwit::log {

Result<> set_level(const std::string& level) {
  static constexpr std::array kLevels{"trace", "debug", "info", "warning", "error", "off"};
  for (const char* known : kLevels) {
    if (level != known) continue;
    auto logger = std::make_shared<spdlog::logger>("godwit", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l [%t] %v");
    logger->set_level(spdlog::level::from_str(level));
    spdlog::set_default_logger(std::move(logger));
    return Done{};
  }
  return Error{Errc::kInvalid, fmt::format("log level '{}' is none of trace, debug, info, warning, error, off", level)};
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f)
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  return out;
}

}  // namespace godwit::log
