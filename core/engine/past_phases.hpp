// PastPhase: what a job went through before its daemon was restarted, as its events tell.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace godwit::engine {

struct PastPhase {
  std::string phase;   // As model::to_string() has it.
  double seconds = 0;  // The last one before a restart: until the last event that was written, since nobody knows more.
};

// From `lines`, events of one job as JSON, oldest first (EventLog::Page): each phase up to the last restart of the daemon that
// took the job up again (event "recovered"); none if there was no restart. Lines that make no sense are passed over. Times are
// the system clock's: a phase in which it was set back took no time. Any thread.
std::vector<PastPhase> past_phases(std::string_view lines);

}  // namespace godwit::engine
