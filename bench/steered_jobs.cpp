#include "bench/steered_jobs.hpp"

#include <algorithm>
#include <stdexcept>
#include <thread>

namespace godwit::bench {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::microseconds kLook{500};
constexpr std::chrono::seconds kPatience{60};

}  // namespace

SteeredRegion::SteeredRegion(const Target& at, uint64_t bytes)
    : region_([&] {
        const std::vector<char> data = random_bytes(bytes);
        return at.create(data.data(), data.size());
      }()) {}

SteeredRegion::~SteeredRegion() {
  try {
    region_.erase();
  } catch (const std::exception&) {  // The daemons end next, or keep what the user can see in their lists.
  }
}

SteeredJobs::SteeredJobs(Nodes& nodes, const std::vector<RegionId>& regions, const Target& to, uint64_t bandwidth,
                         const Settings& settings)
    : to_(to), used_before_bytes_(to.info().used_bytes) {
  MigrateOptions options;
  options.block_bytes = settings.block_bytes;
  options.streams = settings.streams;
  options.bandwidth = bandwidth;
  options.approval = true;
  for (const RegionId region : regions)
    migrations_.push_back(nodes.client().start_migration(nodes.source(), {region}, to, options));
}

SteeredJobs::~SteeredJobs() {
  try {
    cancel();
  } catch (const std::exception&) {  // Whatever it is, the next jobs meet it, too.
  }
}

void SteeredJobs::cancel() const {
  for (const Migration& migration : migrations_) migration.cancel();
  for (const Migration& migration : migrations_)
    while (!migration.test()) std::this_thread::sleep_for(kLook);
  const auto patience = steady_clock::now() + kPatience;
  while (to_.info().used_bytes > used_before_bytes_ && steady_clock::now() < patience) std::this_thread::sleep_for(kLook);
}

Progress SteeredJobs::progress_of(const Migration& migration) {
  Progress now{};
  if (migration.test(&now)) migration.wait();  // Throws: it cannot end well.
  return now;
}

uint64_t SteeredJobs::bytes_done() const {
  uint64_t bytes = 0;
  for (const Migration& migration : migrations_) bytes += progress_of(migration).bytes_done;
  return bytes;
}

bool SteeredJobs::has_one_sent_all() const {
  return std::any_of(migrations_.begin(), migrations_.end(), [](const Migration& migration) {
    const Progress now = progress_of(migration);
    return now.bytes_total > 0 && now.bytes_done == now.bytes_total;
  });
}

SteadyTime SteeredJobs::await_more_than(uint64_t bytes) const {
  const auto patience = steady_clock::now() + kPatience;
  for (const Migration& migration : migrations_)
    while (progress_of(migration).bytes_done <= bytes) {
      if (steady_clock::now() > patience) throw std::runtime_error("steer: nothing arrives");
      std::this_thread::sleep_for(kLook);
    }
  return steady_clock::now();
}

bool SteeredJobs::pause_first() const {
  try {
    first().pause();
  } catch (const Error& error) {
    if (error.code() == GODWIT_ERR_BUSY && has_one_sent_all()) return false;
    throw;
  }
  return true;
}

}  // namespace godwit::bench
