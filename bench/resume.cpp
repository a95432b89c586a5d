// How many blocks does a job send again whose daemons were killed half-way, beside those of one checkpoint interval?
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "base/units.hpp"
#include "bench/nodes.hpp"
#include "bench/questions.hpp"
#include "bench/resume.hpp"

namespace godwit::bench {
namespace {

struct Outcome {
  double seconds = 0;  // From the kill to the end.
  uint64_t arrived = 0, kept = 0;
};

Outcome run_once(Daemons& daemons, const std::vector<char>& bytes, const std::vector<int>& victims) {
  Outcome outcome;
  const Client client;
  const Region region = client.target(daemons.address(0), "pmem").create(bytes.data(), bytes.size());
  const RegionId id = region.id();
  MigrateOptions options;
  options.block_bytes = kResumeBlockBytes;
  options.bandwidth = bytes.size() / kResumeSeconds;
  std::string job;
  {
    const Migration migration =
        client.start_migration(daemons.address(0), {id}, client.target(daemons.address(1), "pmem"), options);
    job = migration.id();
    Progress progress{};
    while (!migration.test(&progress) && progress.bytes_done < bytes.size() / 2)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    outcome.arrived = progress.bytes_done / kResumeBlockBytes;
  }
  outcome.seconds = seconds_of([&] {
    daemons.kill_and_restart(victims);
    const Migration migration = Client().migration(daemons.address(0), job);
    migration.limit(0);
    migration.wait();
    outcome.kept = nlohmann::json::parse(migration.report())["blocks_kept"];
  });
  const Region moved = Client().region(daemons.address(1), id);
  std::vector<char> back(bytes.size());
  moved.read(0, back.data(), back.size());
  if (back != bytes) throw std::runtime_error("resume: other bytes arrived");
  moved.erase();
  return outcome;
}

}  // namespace

void measure_resume(const Settings& settings, Report& report) {
  if (!settings.from.empty()) throw std::runtime_error("resume: kills daemons of its own; --from and --to are not for it");
  for (const uint64_t size : settings.sizes_bytes) {
    DaemonSettings how{settings.provider, settings.host, size + 64_MiB};
    how.checkpoint_ms = kResumeCheckpointMs;
    Daemons daemons(how);
    const uint64_t interval = size / kResumeSeconds * kResumeCheckpointMs / 1000 / kResumeBlockBytes;
    report.say(
        fmt::format("resume: {} from pmem to pmem, limited to {}/s, killed half-way, then without limit; a checkpoint each {} "
                    "ms, in which {} blocks arrive; median of {}",
                    format_size(size), format_size(size / kResumeSeconds), kResumeCheckpointMs, interval, settings.repeat));
    const std::vector<char> bytes = random_bytes(size);
    for (const auto& [name, victims] :
         {std::pair{"source killed", std::vector{0}}, std::pair{"destination killed", std::vector{1}},
          std::pair{"both killed", std::vector{0, 1}}}) {
      Record record;
      record.name = name;
      record.provider = settings.provider;
      record.from = record.to = "pmem";
      record.bytes = size;
      record.count = 1;
      std::vector<double> again;
      for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {
        const Outcome outcome = run_once(daemons, bytes, victims);
        record.seconds.push_back(outcome.seconds);
        again.push_back(static_cast<double>(outcome.arrived) - static_cast<double>(std::min(outcome.arrived, outcome.kept)));
      }
      record.parameters = {{"blocks_of_an_interval", interval}, {"block_bytes", kResumeBlockBytes}};
      record.details = {{"blocks_sent_again", again}};
      report.add(std::move(record));
      report.say(fmt::format("{}: {} of {} blocks that had arrived were sent again (at most {})", name, median(again),
                             size / 2 / kResumeBlockBytes, *std::max_element(again.begin(), again.end())));
    }
    measure_resumed_database(settings, daemons, size, report);
  }
}

}  // namespace godwit::bench
