// The settings of godwitd in one table: it drives parsing, bounds, the JSON schema and the documentation.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "daemon/settings.hpp"

namespace godwit::daemon {

enum class SettingType { kSize, kRate, kCount, kMilliseconds, kText, kFlag };

struct SettingRow {
  std::string_view key;
  SettingType type;
  uint64_t least = 0;  // Of sizes (bytes), rates (bytes a second), counts and milliseconds.
  uint64_t most = 0;
  std::string_view choices;  // Of a text: "a|b|c"; empty: any.
  std::string_view meaning;
  void (*store)(Settings&, uint64_t number, const std::string& text);
  nlohmann::json (*value)(const Settings&);  // The default, for the documentation.
};

// Top-level settings besides state_dir, listen and targets.
std::span<const SettingRow> settings_table();
// The schema of a whole configuration file.
nlohmann::json settings_schema();

}  // namespace godwit::daemon
