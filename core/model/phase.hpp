// Phase: where a migration stands, as users see it; one table of legal transitions.
#pragma once

#include <cstdint>
#include <string_view>

namespace godwit::model {

// Numbers travel in messages: append only.
enum class Phase : uint8_t {
  kPlanning = 0,
  kPreSync = 1,
  kSync = 2,
  kCutover = 3,
  kValidation = 4,
  kCleanup = 5,
  kDone = 6,
  kPaused = 7,
  kFailed = 8,
  kRolledBack = 9,
  kInDoubt = 10,  // The outcome waits for a peer.
};

std::string_view to_string(Phase phase);
bool is_final(Phase phase);

constexpr bool may_follow(Phase from, Phase to) {
  switch (from) {  // No default: -Wswitch catches a new phase.
    case Phase::kPlanning:
      return to == Phase::kPreSync || to == Phase::kPaused || to == Phase::kFailed || to == Phase::kRolledBack;
    // A dry run is done when both sides have looked.
    case Phase::kPreSync:
      return to == Phase::kSync || to == Phase::kPaused || to == Phase::kFailed || to == Phase::kDone ||
             to == Phase::kRolledBack;
    case Phase::kSync:
      return to == Phase::kCutover || to == Phase::kValidation || to == Phase::kPaused || to == Phase::kFailed ||
             to == Phase::kRolledBack;
    case Phase::kValidation:
      return to == Phase::kCutover || to == Phase::kCleanup || to == Phase::kPaused || to == Phase::kFailed ||
             to == Phase::kRolledBack;
    case Phase::kCutover:  // Paused: the connection was lost before the decision.
      return to == Phase::kValidation || to == Phase::kCleanup || to == Phase::kInDoubt || to == Phase::kPaused ||
             to == Phase::kFailed || to == Phase::kRolledBack;
    case Phase::kInDoubt: return to == Phase::kCleanup || to == Phase::kRolledBack;
    case Phase::kCleanup: return to == Phase::kDone;
    case Phase::kPaused:
      return to == Phase::kPlanning || to == Phase::kPreSync || to == Phase::kSync || to == Phase::kFailed ||
             to == Phase::kRolledBack;
    case Phase::kDone:
    case Phase::kFailed:
    case Phase::kRolledBack: return false;
  }
  return false;
}
static_assert(!may_follow(Phase::kSync, Phase::kCleanup), "clean up only what was cut over");

}  // namespace godwit::model
