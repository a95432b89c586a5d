// Waiting for a job, and telling how it ended.
#pragma once

#include <string>
#include <vector>

#include "json.hpp"
#include "session.hpp"

namespace godwit::cli {

// What a job migrates, for its user.
struct Wording {
  std::string one = "region";
  std::string many = "regions";
  std::vector<std::string> names = {};  // Of the objects, in their order; empty: their ids.
};

// Waits until the job has ended, with progress; prints what became of it. The exit code: the job's.
int wait_and_report(Session& session, godwit_migration* migration, const Wording& wording = {});

// What the job did (godwit_migration_report); null: it cannot be had.
Json report_of(godwit_migration* migration);

}  // namespace godwit::cli
