// settle(): what a failed transfer does before its memory may be freed.
#pragma once

#include <cstdint>
#include <variant>

#include "fabric/channel.hpp"

namespace godwit::engine {

// Waits until the `outstanding` RMA operations of this side have ended, whatever their outcome; if they do not end soon, closes
// the channel, which ends them. The channel stays usable if they did.
inline void settle(fabric::Channel& channel, uint64_t outstanding) {
  const auto deadline = Deadline::after(milliseconds(2000));
  while (outstanding > 0) {
    auto event = channel.wait(deadline);
    if (event && std::holds_alternative<fabric::RmaDone>(*event)) --outstanding;
    if (event) continue;  // A message is not what is waited for.
    channel.close();      // Timed out, or closed already.
    return;
  }
}

}  // namespace godwit::engine
