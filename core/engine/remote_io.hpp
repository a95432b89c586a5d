// RemoteIo: bytes between a region, or memory of ours, and memory that a client exposes, by RMA in windows.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "engine/settings.hpp"
#include "fabric/channel.hpp"
#include "pmem/target.hpp"

namespace godwit::engine {

// Reads `window` (the whole of it) into the target at offset_bytes, or writes from there into it. The caller has checked
// the range and holds the access. Blocks until the last byte is in place; on failure nothing is under way any more once the
// channel is closed. A message that comes meanwhile is a protocol error: a client waits for its answer.
// Errors: kPeerLost, kTimeout (nothing moved for stall_timeout), kFabric, kMemory, kIo, kNoSpace, kProtocol.
Result<> pull_from(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, pmem::Target& target,
                   uint64_t offset_bytes, const fabric::RemoteMemory& window, const EngineSettings& settings);
Result<> push_to(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, pmem::Target& target, uint64_t offset_bytes,
                 const fabric::RemoteMemory& window, const EngineSettings& settings);

// The same between `bytes` and the whole of `window`, which is as long.
Result<> pull_into(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, std::span<std::byte> bytes,
                   const fabric::RemoteMemory& window, const EngineSettings& settings);
Result<> push_bytes(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, std::span<std::byte> bytes,
                    const fabric::RemoteMemory& window, const EngineSettings& settings);

}  // namespace godwit::engine
