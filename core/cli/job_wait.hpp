// Waiting for a job, and telling how it ended.
#pragma once

#include <string>
#include <vector>

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

}  // namespace godwit::cli
