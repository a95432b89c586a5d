// RemoteIo: bytes between this node and memory that a peer exposes, by RMA in windows.
#pragma once

#include <memory>
#include <span>

#include "engine/settings.hpp"
#include "fabric/channel.hpp"
#include "pmem/target.hpp"

namespace godwit::engine {

// Reads `window` (the whole of it) into the target at offset_bytes, or writes from there into it. The caller has checked
// the range and holds the access. Blocks until the last byte is in place; on failure nothing is under way any more once the
// channel is closed. A message that comes meanwhile is a protocol error: the peer waits for its answer.
// Errors: kPeerLost, kTimeout (nothing moved for stall_timeout), kFabric, kMemory, kIo, kNoSpace, kProtocol.
Result<> pull_from(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, pmem::Target& target,
                   uint64_t offset_bytes, const fabric::RemoteMemory& window, const EngineSettings& settings);
Result<> push_to(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, pmem::Target& target, uint64_t offset_bytes,
                 const fabric::RemoteMemory& window, const EngineSettings& settings);
// The same into plain memory, which is registered meanwhile; as long as the window.
Result<> pull_into(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, std::span<std::byte> memory,
                   const fabric::RemoteMemory& window, const EngineSettings& settings);

}  // namespace godwit::engine
