// Attend: long work that a peer waits for, done without the peer losing patience.
#pragma once

#include <future>
#include <system_error>

#include "base/deadline.hpp"
#include "fabric/channel.hpp"

namespace godwit::engine {

// Runs `work` in a thread of its own, and keeps the channel alive meanwhile; gives what it returns. `work` must not use the
// channel. Where there are no threads to be had it runs in this one, and the peer must be patient.
template <class Work>
auto while_attending(fabric::Channel& channel, Work work) -> decltype(work()) {
  std::future<decltype(work())> result;
  try {
    result = std::async(std::launch::async, work);
  } catch (const std::system_error&) {
    return work();
  }
  while (result.wait_for(fabric::Channel::kAttention) != std::future_status::ready) channel.attend();
  return result.get();
}

}  // namespace godwit::engine
