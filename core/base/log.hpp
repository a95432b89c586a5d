// Log: spdlog behind one function, so that the rest of the tree names no logger.
#pragma once

#include <spdlog/spdlog.h>

#include <string>

#include "base/result.hpp"

namespace godwit::log {

// Lines go to standard error. Call once, before threads start.
// Errors: kInvalid, the level is none of trace, debug, info, warning, error, off.
Result<> set_level(const std::string& level);

// `\n` and other control characters as \xNN: a peer's text cannot forge a log line.
std::string printable(std::string_view text);

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

}  // namespace godwit::log
