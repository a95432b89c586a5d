// ask_node: one question to another node's daemon, on a connection of its own.
#pragma once

#include <span>
#include <string>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "engine/domains.hpp"
#include "fabric/channel.hpp"

namespace godwit::engine {

// Its answer: bytes that nobody has checked. Blocks: `connect` to reach it, `answer` for its answer. Any thread. Errors, each
// names the node: those of the address and of fabric::Channel::connect; kTimeout; kPeerLost.
Result<fabric::Message> ask_node(Domains& domains, const std::string& address, std::span<const std::byte> question,
                                 milliseconds connect, milliseconds answer);

}  // namespace godwit::engine
