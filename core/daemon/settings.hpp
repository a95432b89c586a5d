// Settings: godwitd's configuration, read from JSON that the schema made from the settings table has accepted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "engine/settings.hpp"
#include "identity/site_guard.hpp"
#include "objects/database/database_store.hpp"
#include "objects/files/file_roots.hpp"
#include "pmem/target.hpp"

namespace godwit::daemon {

// How peers prove who they are: identity/site_guard.hpp, docs/howto/identity.md.
struct IdentitySettings {
  std::optional<identity::Method> method;  // Nothing said: none, which is only taken where nobody else reaches the daemon.
  std::string key_file;
  std::string munge_socket;                 // Empty: MUNGE's default.
  bool is_private = false;                  // Serves nobody but its own user, root and administrators.
  std::vector<std::string> administrators;  // Users' names or numbers.
};

// How etcd is asked.
struct EtcdSettings {
  std::vector<std::string> endpoints;  // "http://10.0.0.1:2379", tried in turn.
  std::string user;                    // Empty: without a name.
  std::string password;
  std::string ca_file;    // PEM: who may have signed its certificate; empty: those of the system.
  std::string cert_file;  // PEM: the certificate that we show, if it asks for one; empty: none. Read at each connection, so
  std::string key_file;   // that a renewed one needs no restart. PEM, without a password; with cert_file.
};

struct Settings {
  std::string state_dir;
  std::vector<std::string> listen{"tcp://127.0.0.1:7411"};
  std::vector<pmem::TargetSettings> targets;
  std::vector<objects::FileRoot> file_roots;
  std::vector<objects::DatabaseSettings> databases;
  std::string database_root;               // Absolute; empty: only maps can be made at run time.
  std::vector<std::string> group_members;  // Addresses of the other daemons of the group; this one's own may be among them.
  EtcdSettings etcd;                       // Without endpoints: there is no directory.
  std::string group_name;                  // Of those who share a directory.
  engine::EngineSettings engine;
  IdentitySettings identity;
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
// What the daemon proves, and asks of others. Blocks to read the key file. Errors: kConfig, it listens where others reach it
// and no method is said, there is no such administrator, or those of identity::SiteKey::load.
Result<identity::SiteSettings> site_settings(const Settings& settings, const Id& node);
// The table as Markdown, for docs/reference/settings.md.
std::string settings_as_markdown();

}  // namespace godwit::daemon
