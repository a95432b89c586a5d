// How soon do jobs do what they are told? A pause: until nothing arrives any more; its end: until something does.
#include "bench/steer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <thread>

#include "bench/questions.hpp"
#include "bench/steered_jobs.hpp"
#include "bench/text.hpp"

namespace godwit::bench {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr microseconds kLook{500};
constexpr seconds kPatience{60};
// Some thirty times what passes between two blocks of a job with a limit.
constexpr milliseconds kStandsStill{500};
constexpr uint64_t kLimitedSeconds = 8;     // That all of it would take at its limit.
constexpr microseconds kFullSwing{20'000};  // Half as long after each try that came too late.
constexpr int kTriesMax = 20;

// Of one pause, and of its end; seconds from the call.
struct Steered {
  double answered = 0, said = 0, still = 0, resumed = 0;
  uint64_t bytes_after = 0;  // Arrived after the pause was answered.
};

// `swing`: since the first byte. None: all had arrived before.
std::optional<Steered> pause_and_resume(const SteeredJobs& job, microseconds swing) {
  job.await_more_than(0);
  std::this_thread::sleep_for(swing);
  Steered steered;
  const auto asked = steady_clock::now();
  if (!job.pause_first()) return std::nullopt;
  steered.answered = seconds_between(asked, steady_clock::now());
  Progress now = job.progress();
  const uint64_t first = now.bytes_done;
  while (std::strcmp(now.phase, "paused") != 0) {
    if (steady_clock::now() - asked > kPatience) throw std::runtime_error(fmt::format("steer: paused, but '{}'", now.phase));
    now = job.progress();
  }
  steered.said = seconds_between(asked, steady_clock::now());

  auto changed = asked + std::chrono::duration_cast<steady_clock::duration>(std::chrono::duration<double>(steered.said));
  uint64_t stands_at = now.bytes_done;
  while (steady_clock::now() - changed < kStandsStill) {
    if (steady_clock::now() - asked > kPatience) throw std::runtime_error("steer: a paused job goes on");
    std::this_thread::sleep_for(kLook);
    now = job.progress();
    if (now.bytes_done == stands_at) continue;
    stands_at = now.bytes_done;
    changed = steady_clock::now();
  }
  if (job.has_one_sent_all()) return std::nullopt;
  steered.still = seconds_between(asked, changed);
  steered.bytes_after = stands_at - first;

  const auto resumed = steady_clock::now();
  job.first().resume();
  steered.resumed = seconds_between(resumed, job.await_more_than(stands_at));
  return steered;
}

std::string in_ms(const std::vector<double>& of_seconds) {
  return fmt::format("{:.1f} ms (at most {:.1f})", median(of_seconds) * 1e3,
                     *std::max_element(of_seconds.begin(), of_seconds.end()) * 1e3);
}

void measure_pauses(const Settings& settings, Nodes& nodes, const std::string& kind, uint64_t size, uint64_t bandwidth,
                    Report& report) {
  const Target to = nodes.target(nodes.destination(), kind);
  const SteeredRegion region(nodes.target(nodes.source(), kind), size);
  Record pause, resume;
  std::vector<double> answered, said, after;
  for (int tries = 0; pause.seconds.size() < settings.repeat;) {
    const SteeredJobs job(nodes, {region.id()}, to, bandwidth, settings);
    const auto steered = pause_and_resume(job, kFullSwing / (1 << tries));
    if (!steered) {
      if (++tries == kTriesMax)
        throw std::runtime_error(
            fmt::format("steer: {} are sent before a pause comes: give larger --sizes", text_from_size(size)));
      continue;
    }
    answered.push_back(steered->answered);
    said.push_back(steered->said);
    after.push_back(static_cast<double>(steered->bytes_after));
    pause.seconds.push_back(steered->still);
    resume.seconds.push_back(steered->resumed);
  }
  const char* how = bandwidth == 0 ? "no limit" : "limited";
  pause.name = fmt::format("pause, {}", how);
  resume.name = fmt::format("resume, {}", how);
  pause.details = {{"answered_seconds", answered}, {"said_paused_seconds", said}, {"bytes_after_answer", after}};
  const std::string rate = bandwidth == 0 ? "no limit" : fmt::format("{}/s", text_from_size(bandwidth));
  const std::string line = fmt::format(
      "{}, {}: answered after {}, 'paused' after {}, nothing arrives any more after {}; resumed, bytes arrive after {}", kind,
      rate, in_ms(answered), in_ms(said), in_ms(pause.seconds), in_ms(resume.seconds));
  for (Record* record : {&pause, &resume}) {
    record->provider = settings.provider;
    record->from = record->to = kind;
    record->count = 1;  // Of no bytes: there is no rate.
    record->parameters = {{"region_bytes", size}, {"bandwidth", bandwidth}};
    report.add(std::move(*record));
  }
  report.say(line);
}

}  // namespace

void measure_steer(const Settings& settings, Report& report) {
  const uint64_t most = *std::max_element(settings.sizes_bytes.begin(), settings.sizes_bytes.end());
  Nodes nodes(settings, std::max(most, bytes_for_limits(settings)), report);
  report.say(fmt::format(
      "steer: pauses of a job without limit, and of one limited to its size in {} s, until progress stands still for "
      "{} ms; then limits, each of {} seconds (--repeat) of their own; as a client sees it",
      kLimitedSeconds, kStandsStill.count(), settings.repeat));
  for (const std::string& kind : settings.kinds) {
    for (const uint64_t size : settings.sizes_bytes)
      for (const uint64_t bandwidth : {uint64_t{0}, size / kLimitedSeconds})
        measure_pauses(settings, nodes, kind, size, bandwidth, report);
    measure_limits(settings, nodes, kind, report);
  }
}

}  // namespace godwit::bench
