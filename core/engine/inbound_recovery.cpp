// InboundTable after a restart: what the journal has of the migrations to this node.
#include <fmt/format.h>

#include <optional>

#include "base/log.hpp"
#include "engine/inbound_table.hpp"
#include "objects/database/database_sink.hpp"

namespace godwit::engine {

Result<> InboundTable::recover() {
  auto records = journal_.inbound();
  if (!records) return std::move(records).error();
  for (journal::InboundJob& record : *records)
    if (auto recovered = recover_one(record); !recovered) return recovered;
  return Done{};
}

namespace {

model::DestinationRecord record_of(journal::InboundState state) {
  switch (state) {  // No default: -Wswitch catches a new one.
    case journal::InboundState::kPrepared: return model::DestinationRecord::kPrepared;
    case journal::InboundState::kOwner: return model::DestinationRecord::kOwner;
    case journal::InboundState::kReceiving: return model::DestinationRecord::kReceiving;
  }
  return model::DestinationRecord::kNone;
}

// By block of the plan that the job had.
Arrived arrived_of(const journal::InboundJob& record, const journal::Checkpoint& checkpoint) {
  Arrived arrived{checkpoint.block_bytes, {}, true};
  if (checkpoint.block_bytes < model::kBlockBytesMin || checkpoint.block_bytes > model::kBlockBytesMax) return arrived;
  std::vector<uint64_t> sizes;
  for (const journal::JobObject& object : record.objects) sizes.push_back(object.size_bytes);
  arrived.digests.resize(model::plan_blocks(sizes, checkpoint.block_bytes).size());
  for (const journal::CheckpointChunk& chunk : checkpoint.chunks)
    for (size_t i = 0; i < chunk.blocks.size(); ++i)
      if (const size_t block = size_t{chunk.chunk} * journal::kChunkBlocks + i; block < arrived.digests.size())
        arrived.digests[block] = chunk.blocks[i];
  return arrived;
}

// As the offer had them, one after the other; zero: there are none.
Digest digest_of_all(const std::vector<std::vector<std::byte>>& listings) {
  std::vector<std::byte> all;
  for (const auto& listing : listings) all.insert(all.end(), listing.begin(), listing.end());
  return all.empty() ? Digest{} : digest_of(all);
}

}  // namespace

Result<> InboundTable::recover_one(journal::InboundJob& record) {
  const Id id = record.job;
  const bool is_promised = record.state != journal::InboundState::kReceiving;
  const bool is_here = record.target_survives && (is_promised || settings_.resume_timeout.count() > 0);
  if (!is_here && !is_promised) return journal_.forget_inbound(id);
  auto machine = model::recover_destination(record_of(record.state), is_here);
  std::vector<std::unique_ptr<objects::Sink>> sinks;
  Arrived arrived;
  Digest listings;
  std::optional<Error> withheld;
  if (is_here) {
    auto checkpoint = journal_.checkpoint(id);
    if (!checkpoint) return std::move(checkpoint).error();
    auto recovered = recover_sinks(record, checkpoint->listings);
    // A file system that is not mounted, or a user who took his directory away, keeps no daemon from starting.
    const bool is_of_files = !record.objects.empty() && record.objects.front().kind == objects::ObjectKind::kFileset;
    if (!recovered && is_promised && !is_of_files) return std::move(recovered).error();
    if (!recovered && is_promised) {
      withheld = std::move(recovered).error();
    } else if (!recovered) {  // It can be sent anew.
      log::warn("job {} from {}: what had arrived is lost: {}", to_string(id), record.source_address, recovered.error().text);
      return journal_.forget_inbound(id);
    }
    if (recovered) sinks = std::move(*recovered);
    listings = digest_of_all(checkpoint->listings);
    arrived = arrived_of(record, *checkpoint);
  }
  auto job = std::make_shared<InboundJob>(journal_, std::move(record), std::move(sinks), machine, settings_, nullptr, listings,
                                          std::move(arrived));
  log::info("recovered {}: {}", job->describe(), model::to_string(machine.state));
  if (withheld) job->withhold(std::move(*withheld));
  const std::lock_guard lock(mutex_);
  jobs_.emplace(id, std::move(job));
  return Done{};
}

// What has arrived is shown: regions are in the catalogue then, filesets may have been about to.
Result<std::vector<std::unique_ptr<objects::Sink>>> InboundTable::recover_sinks(
    const journal::InboundJob& record, std::span<const std::vector<std::byte>> listings) {
  const bool owner = record.state == journal::InboundState::kOwner;
  const bool is_promised = record.state != journal::InboundState::kReceiving;
  std::vector<std::unique_ptr<objects::Sink>> sinks;
  if (!record.objects.empty() && record.objects.front().kind == objects::ObjectKind::kFileset) {
    if (!is_promised) return filesets_.find_unfinished(record, listings);
    auto recovered = filesets_.expect_again(record);
    if (!recovered || !owner) return recovered;
    for (const auto& sink : *recovered) sink->adopt();
    return sinks;
  }
  if (owner) return sinks;
  if (!record.objects.empty() && record.objects.front().kind == objects::ObjectKind::kDatabase) {
    auto there = Result<>(Done{});
    for (const journal::JobObject& object : record.objects) {
      auto database = databases_.expect_again(object.destination_id, object.epoch + 1);
      if (!database && is_promised) return std::move(database).error();
      if (!database) {
        there = std::move(database).error();
        continue;
      }
      auto sink = std::make_unique<objects::DatabaseSink>(databases_, std::move(*database));
      if (!is_promised && there) there = sink->check_directory();
      sinks.push_back(std::move(sink));
    }
    if (there) return sinks;
    for (const auto& sink : sinks) sink->drop();
    return std::move(there).error();
  }
  auto target = store_.target(record.target);
  if (!target || (*target)->pool_id() != record.pool)
    return Error{Errc::kCorrupt, fmt::format("job {} is prepared on target '{}', whose pool is not configured any more; "
                                             "configure it again",
                                             to_string(record.job), record.target)};
  for (const journal::JobObject& object : record.objects) {
    auto region = store_.expect_again(**target, object, object.epoch + 1);
    if (!region) {
      for (const auto& sink : sinks) sink->drop();
      return std::move(region).error();
    }
    sinks.push_back(std::make_unique<objects::RegionSink>(store_, std::move(*region)));
  }
  return sinks;
}

}  // namespace godwit::engine
