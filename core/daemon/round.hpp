// Round: one question put to several daemons at once.
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "engine/domains.hpp"
#include "fabric/address.hpp"
#include "fabric/channel.hpp"

namespace godwit::daemon {

struct RoundLimits {
  milliseconds member{1'500};  // To connect, and again to answer.
  milliseconds round{4'000};   // All together.
  size_t at_once = 64;         // Connections.
};

// Sends `question` to each on a connection of its own, and gives their answers in the same order: bytes that nobody has
// checked. Blocks until all have answered or failed, `is_enough` says of an answer that the rest need not, or limits.round has
// passed; ends soon after `stopping`. Any thread. Errors of a member: as fabric::Channel::connect; kTimeout, it did not answer
// in time; kBusy, the round was over before it was asked; kCancelled, its answer was not needed any more.
std::vector<Result<fabric::Message>> ask_all(engine::Domains& domains, const std::vector<fabric::Address>& members,
                                             std::span<const std::byte> question, const RoundLimits& limits,
                                             const std::function<bool(size_t member, const fabric::Message&)>& is_enough,
                                             const std::atomic<bool>& stopping);

}  // namespace godwit::daemon
