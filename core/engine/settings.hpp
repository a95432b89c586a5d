// EngineSettings: how migrations and large transfers run. The daemon fills it from its configuration.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/deadline.hpp"
#include "base/id.hpp"
#include "base/units.hpp"
#include "engine/totals.hpp"

namespace godwit::objects {
class ArrivedFilesets;
class Permissions;
}  // namespace godwit::objects

namespace godwit::engine {

class EventLog;
class Ownership;

struct EngineSettings {
  // Few bytes are in flight on a stream, so that a block whose digest was just computed, or which just arrived, is still in the
  // processor's cache when it is sent or its digest is computed: that takes a fifth to a third off the time of a migration.
  uint64_t block_bytes = 512_KiB;   // Of transfer and digest.
  uint64_t pipeline_bytes = 1_MiB;  // In flight on one stream; also its ring of staging buffers, if it needs one.
  uint32_t streams = 2;             // Connections of one job that carry blocks.
  uint64_t bandwidth = 0;           // Bytes a second that the node sends as a source, of all jobs together; 0: no limit.
  uint32_t jobs_max = 4;            // Outbound jobs that run at once; more wait in a queue.
  uint32_t inbound_max = 64;        // Job connections served at once; more are refused.
  uint32_t objects_max = 100'000;   // Of one job.
  milliseconds connect_timeout{5000};
  milliseconds stall_timeout{60000};                   // Without any block finished.
  milliseconds resume_timeout{300000};                 // A job whose peer is lost waits so long for it; 0: it fails at once.
  milliseconds checkpoint_interval{30000};             // Between the journal's notes of what has arrived.
  milliseconds quiesce_timeout{10000};                 // For writers and readers under way to leave.
  milliseconds resolve_interval{1000};                 // Between attempts to reach a peer about a job in doubt.
  uint64_t database_buffer_bytes = uint64_t{1} << 30;  // Of all clients' batches and answers that travel by RMA.

  // Programs of the operator's (engine/hook.hpp), absolute; empty: none. `before` is asked by both nodes before anything is
  // read or reserved, `after` by the destination when all is verified and durable, before it promises anything.
  std::string hook_before;
  std::string hook_after;
  milliseconds hook_timeout{60000};

  std::string scratch;  // An absolute directory for what a job needs for a while.

  // What all copies of these settings count in; never null.
  std::shared_ptr<Totals> totals = std::make_shared<Totals>();
  // Where outbound jobs note what happens to them; null: nowhere.
  std::shared_ptr<EventLog> events;

  // Asked before each cutover of a move; null: nobody.
  std::shared_ptr<Ownership> ownership;

  // Whose the objects are: goes with them to their destination. Null: the daemon's own user's.
  std::shared_ptr<objects::Permissions> permissions;
  // Told of each job that a table has no more of; blocks for the disk, and is called without any lock. May be empty.
  std::function<void(const Id&)> on_forgotten;

  // Told of the trees that come here and leave; null: nobody is.
  std::shared_ptr<objects::ArrivedFilesets> arrived;

  // Run first by every thread that moves bytes (to pin it); may be empty.
  std::function<void()> on_thread_start;

  // Blocks in flight on one stream.
  uint32_t window() const { return static_cast<uint32_t>(std::max<uint64_t>(1, pipeline_bytes / block_bytes)); }
};

}  // namespace godwit::engine
