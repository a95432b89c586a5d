// Session: what every command shares: the common options, the connection, and how failures leave the program.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

#include "handles.hpp"

namespace godwit::cli {

// A failure that ends the command. `code` is a GODWIT_ERR_*; the text says it all.
class Failure : public std::runtime_error {
 public:
  Failure(int code, const std::string& text) : std::runtime_error(text), code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

// Throws the calling thread's last error if `code` is one.
void check(int code);

class Session {
 public:
  bool json = false;
  bool quiet = false;
  std::string node;  // As given; empty: the environment.
  double timeout_seconds = 0;
  double connect_timeout_seconds = 0;

  // The address of the node to talk to. Throws Failure (INVALID) if there is none.
  std::string address() const;
  // Whether --node or GODWIT_NODE named one.
  bool has_address() const;
  // The client, made at the first call. Follows regions that moved.
  godwit_client* client();
  // Another one that does not.
  godwit_client* client_that_stays();
  // Throws Failure.
  Region open_region(const std::string& id_or_name);
  Target open_target(const std::string& name);

  // What the command returned, or the exit code of the failure that ended it, which is then printed.
  int run(const std::function<int()>& command) const;

 private:
  Client open_client(bool follow) const;
  Client client_;
  Client staying_client_;
};

// The function that main() runs after parsing.
using Chosen = std::function<int()>;

class Menu {
 public:
  Menu(CLI::App& root, Session& session) : root_(root), session_(session) {}

  Session& session() { return session_; }
  // A group of commands ("region"). `example` is shown by its --help.
  CLI::App* group(const std::string& name, const std::string& what, const std::string& example);
  // A command of `group` (NULL: of the root).
  CLI::App* command(CLI::App* group, const std::string& name, const std::string& what, const std::string& example);
  // What the command does; its result is the exit code. Of a command that has others below it: without one of them.
  void on_run(CLI::App* command, Chosen action);
  // What the user chose.
  const Chosen& chosen() const { return chosen_; }

 private:
  CLI::App& root_;
  Session& session_;
  Chosen chosen_;
};

// --json, --quiet, --node, --timeout, --connect-timeout.
void add_common_options(CLI::App& app, Session& session);
// An option that takes a size ("64KiB").
CLI::Option* add_size_option(CLI::App* app, const std::string& name, uint64_t& value, const std::string& what);

// Each of these adds one group of commands.
void add_target_commands(Menu& menu);
void add_region_commands(Menu& menu);
void add_region_io_commands(Menu& menu, CLI::App* region);
void add_region_file_commands(Menu& menu, CLI::App* region);
void add_database_commands(Menu& menu);
void add_migrate_commands(Menu& menu);
void add_migrate_database_command(Menu& menu, CLI::App* migrate);
void add_migrate_files_command(Menu& menu, CLI::App* migrate);
void add_plan_commands(Menu& menu);
void add_job_commands(Menu& menu);
void add_node_commands(Menu& menu);

}  // namespace godwit::cli
