// ToolReport: what --report FILE of every tool begins with, and how it is written: docs/reference/report.md.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace godwit::tools {

// Of every tool's report; another one is refused by who reads it.
constexpr int kReportVersion = 1;

// "report_version", "tool", "version", "time" (now, UTC), "command" and "machine"; the tool adds what it measured.
nlohmann::json begin_report(const std::string& tool, int argc, const char* const* argv);
// {"libfabric": "1.17"}, as the daemon at `address` tells: the bytes go from daemon to daemon. Empty if it does not. Blocks.
nlohmann::json libraries_at(const std::string& address);
// The file is there as a whole, or as it was before, also after a loss of power. Bytes of names that are not UTF-8 are
// replaced. Throws std::runtime_error: it cannot be written.
void write_report(const nlohmann::json& report, const std::string& file);
// Renames, and makes that durable. Errors: false, with errno.
bool replace_file(const std::string& from, const std::string& to);

}  // namespace godwit::tools
