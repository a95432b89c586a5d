#include "model/phase.hpp"

namespace godwit::model {

std::string_view to_string(Phase phase) {
  switch (phase) {  // No default: -Wswitch catches a new phase.
    case Phase::kPlanning: return "planning";
    case Phase::kPreSync: return "pre-sync";
    case Phase::kSync: return "sync";
    case Phase::kCutover: return "cutover";
    case Phase::kValidation: return "validation";
    case Phase::kCleanup: return "cleanup";
    case Phase::kDone: return "done";
    case Phase::kPaused: return "paused";
    case Phase::kFailed: return "failed";
    case Phase::kRolledBack: return "rolled back";
    case Phase::kInDoubt: return "in doubt";
  }
  return "unknown";
}

bool is_final(Phase phase) { return phase == Phase::kDone || phase == Phase::kFailed || phase == Phase::kRolledBack; }

}  // namespace godwit::model
