// MigratePlan: which regions a `godwit migrate` names, and whether they would fit.
#pragma once

#include <string>
#include <vector>

#include "session.hpp"
#include "transfer_options.hpp"

namespace godwit::cli {

struct MigrateOptions {
  std::vector<std::string> regions;
  bool all = false;
  std::string from_target;
  std::string from;  // Empty: the session's node.
  std::string to;    // Empty: the same as `from`.
  std::string target;
  bool copy = false;
  std::string name;
  TransferOptions transfer;
  bool dry_run = false;
  bool run_async = false;
};

// The regions that the options name. Throws Failure: NOT_FOUND, MOVED, INVALID.
std::vector<godwit_region_info> chosen_regions(Session& session, const MigrateOptions& options);
// Prints what would be migrated; moves nothing. Throws Failure if it could not be: NO_SPACE, EXISTS, NOT_FOUND.
int print_plan(Session& session, const MigrateOptions& options, const std::vector<godwit_region_info>& regions);

}  // namespace godwit::cli
