// ClientStreams: large reads and writes of clients, of regions and of databases, each stream with a thread of its own, so that
// none waits for another.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/thread_group.hpp"
#include "engine/settings.hpp"
#include "fabric/channel.hpp"
#include "objects/database/database_store.hpp"
#include "objects/permissions.hpp"
#include "objects/region_store.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

// Thread-safe.
class ClientStreams {
 public:
  // `address`: of this node, for entries and errors.
  ClientStreams(const EngineSettings& settings, uint32_t streams_max, objects::RegionStore& store,
                objects::DatabaseStore& databases, objects::Permissions& permissions);
  ~ClientStreams() { stop(); }

  // Serves the stream until the client closes it or leaves it idle. Errors: kBusy, too many streams.
  Result<> serve(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming, std::string address);
  void stop();
  uint32_t running() const { return threads_.running(); }

 private:
  class Session;
  class Buffers;
  const EngineSettings settings_;
  objects::RegionStore& store_;
  objects::DatabaseStore& databases_;
  objects::Permissions& permissions_;
  std::atomic<uint64_t> database_bytes_{0};  // Buffered now, at most database_buffer_bytes.
  std::atomic<bool> stopping_{false};
  ThreadGroup threads_;
};

}  // namespace godwit::engine
