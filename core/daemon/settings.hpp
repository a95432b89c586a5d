// Settings: godwitd's configuration, read from JSON that the schema made from the settings table has accepted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/settings.hpp"
#include "objects/database/database_store.hpp"
#include "objects/files/file_roots.hpp"
#include "pmem/target.hpp"

namespace godwit::daemon {

struct Settings {
  std::string state_dir;
  std::vector<std::string> listen{"tcp://127.0.0.1:7411"};
  std::vector<pmem::TargetSettings> targets;
  std::vector<objects::FileRoot> file_roots;
  std::vector<objects::DatabaseSettings> databases;
  std::string database_root;  // Absolute; empty: only maps can be made at run time.
  engine::EngineSettings engine;
  std::string log_level = "info";
  std::string pinning = "numa";  // "none", "numa" or "core".
  bool require_rdma = false;
  std::string metrics = "auto";  // "auto", "off", or the numeric HOST:PORT to listen at.
  uint64_t sessions_max = 1024;
  uint64_t client_streams_max = 256;
  uint64_t workers = 2;
};

// Blocks to read the file. Errors: kNotFound, kIo; kConfig, the text names the key by its path and what it must be.
Result<Settings> load_settings(const std::string& path);
Result<Settings> parse_settings(const std::string& json_text, const std::string& origin);
// The table as Markdown, for docs/reference/settings.md.
std::string settings_as_markdown();

}  // namespace godwit::daemon
