// Waiting for a job, and telling how it ended.
#pragma once

#include "session.hpp"

namespace godwit::cli {

// Waits until the job has ended, with progress; prints what became of it. The exit code: the job's.
int wait_and_report(Session& session, godwit_migration* migration);

}  // namespace godwit::cli
