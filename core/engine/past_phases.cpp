#include "engine/past_phases.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

namespace godwit::engine {
namespace {

using nlohmann::json;

std::string text_of_event(const json& event, const char* key) {
  return event.contains(key) && event[key].is_string() ? event[key].get<std::string>() : std::string();
}

// Seconds since the epoch, of "2026-11-22T20:11:40.123Z".
std::optional<double> seconds_of_time(const std::string& text) {
  std::tm time{};
  int milliseconds = 0;
  if (std::sscanf(text.c_str(), "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ", &time.tm_year, &time.tm_mon, &time.tm_mday, &time.tm_hour,
                  &time.tm_min, &time.tm_sec, &milliseconds) != 7)
    return std::nullopt;
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return static_cast<double>(timegm(&time)) + milliseconds / 1000.0;
}

}  // namespace

std::vector<PastPhase> past_phases(std::string_view lines) {
  std::vector<PastPhase> phases;
  size_t before_restart = 0;  // How many of them.
  double began = 0, last = 0;
  const auto close = [&](double now) {
    if (!phases.empty()) phases.back().seconds = std::max(0.0, now - began);
  };
  while (!lines.empty()) {
    const size_t length = std::min(lines.find('\n'), lines.size());
    const json event = json::parse(lines.substr(0, length), nullptr, false);
    lines.remove_prefix(std::min(length + 1, lines.size()));
    if (!event.is_object()) continue;
    const auto now = seconds_of_time(text_of_event(event, "time"));
    if (!now) continue;
    const std::string kind = text_of_event(event, "event");
    if (kind == "recovered") {  // What is after the last event before it was not written.
      close(last);
      before_restart = phases.size();
    }
    std::string phase = text_of_event(event, kind == "phase" ? "to" : "phase");
    if (kind == "phase" && phase.empty()) continue;
    if (phase.empty()) phase = "planning";  // With which a job begins, also one that begins again.
    if (kind == "phase" || kind == "queued" || kind == "recovered") {
      if (kind != "recovered") close(*now);
      phases.push_back({std::move(phase), 0});
      began = *now;
    }
    last = *now;
  }
  phases.resize(before_restart);
  return phases;
}

}  // namespace godwit::engine
