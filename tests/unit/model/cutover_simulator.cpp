#include "cutover_simulator.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace godwit::model::sim {

namespace {

// SplitMix64: the standard library's distributions differ between implementations, and a seed has to mean one run.
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  uint32_t below(size_t bound) { return static_cast<uint32_t>(next() % bound); }
  bool percent(uint32_t chance) { return below(100) < chance; }

 private:
  uint64_t state_;
};

// How bad a run is; drawn once, so that some runs are nearly quiet and some are storms.
struct Weather {
  uint32_t steps;
  uint32_t crash_per_mille, restart_percent, drop_percent, duplicate_percent, cancel_per_mille, lost_per_mille;
  uint32_t volatile_percent, copy_percent, hurry_percent, write_percent;
  uint32_t disk_per_mille, erase_percent, resumes_percent, break_per_mille, break_prepared_percent, pause_per_mille,
      checkpoint_percent, back_percent;
  std::optional<Kind> muted;  // Hardly ever gets through: leads deep into the states that wait for it.
  std::optional<Kind> late;   // Stays in the network for long: comes when the job is somewhere else.
};

Weather draw(Dice& dice) {
  Weather weather{};
  weather.steps = 60 + dice.below(1200);
  weather.crash_per_mille = dice.percent(20) ? 0 : dice.below(25);
  weather.restart_percent = 5 + dice.below(60);
  weather.drop_percent = dice.percent(30) ? 0 : dice.below(30);
  weather.duplicate_percent = dice.below(25);
  weather.cancel_per_mille = dice.percent(30) ? 0 : dice.below(12);
  weather.lost_per_mille = dice.percent(30) ? 0 : dice.below(12);
  weather.volatile_percent = dice.below(100);
  weather.copy_percent = dice.below(40);
  weather.hurry_percent = 30 + dice.below(70);
  weather.write_percent = 2 + dice.below(10);
  weather.erase_percent = dice.percent(70) ? 0 : dice.below(15);
  weather.disk_per_mille = dice.percent(70) ? 0 : dice.below(10);
  weather.resumes_percent = dice.below(120);
  weather.break_per_mille = dice.percent(30) ? 0 : dice.below(12);
  weather.break_prepared_percent = dice.percent(40) ? 0 : dice.below(80);
  weather.pause_per_mille = dice.percent(50) ? 0 : dice.below(12);
  weather.checkpoint_percent = dice.percent(20) ? 0 : dice.below(60);
  weather.back_percent = dice.percent(30) ? 0 : dice.below(80);
  constexpr size_t kKinds = static_cast<size_t>(Kind::kAsk) + 1;
  if (dice.percent(50)) weather.muted = static_cast<Kind>(dice.below(kKinds));
  constexpr Kind kWorstLate[] = {Kind::kPrepare, Kind::kPrepared, Kind::kUnknown, Kind::kUnknown, Kind::kAsk};
  if (dice.percent(30)) weather.late = static_cast<Kind>(dice.below(kKinds));
  if (!weather.late && dice.percent(30)) weather.late = kWorstLate[dice.below(std::size(kWorstLate))];
  return weather;
}

class Run {
 public:
  Run(uint64_t seed, Flaw flaw, bool traced) : dice_(seed), weather_(draw(dice_)), world_(flaw, traced) {
    outcome_.seed = seed;
  }

  Outcome play() {
    const uint32_t objects = 1 + dice_.below(2);
    for (uint32_t i = 0; i < objects; ++i) {
      const bool survives = !dice_.percent(weather_.volatile_percent);  // One draw a statement: compilers order arguments.
      world_.create(dice_.below(2), survives);
    }
    for (uint32_t i = 0; i < weather_.steps && world_.check().empty(); ++i) {
      step();
      ++outcome_.steps;
    }
    const bool ended = world_.check().empty() && world_.settle();
    outcome_.violation = world_.check();
    if (outcome_.violation.empty()) outcome_.violation = ended ? world_.check_end() : "promise 4: the run does not end";
    if (!world_.trace().empty()) outcome_.trace = fmt::format("  {}\n", fmt::join(world_.trace(), "\n  "));
    for (const auto& [id, job] : world_.jobs()) {
      outcome_.commits += job.owned;
      outcome_.resumed += job.owned && job.attempts > 1;
      outcome_.fallbacks += job.fallbacks;
      outcome_.blocks_read += job.blocks_read;
      outcome_.blocks_skipped += job.blocks_skipped;
    }
    outcome_.jobs = static_cast<uint32_t>(world_.jobs().size());
    for (const auto& [object, latest] : world_.objects()) outcome_.losses += world_.is_excused(object);
    return outcome_;
  }

 private:
  void step() {
    const NodeIndex node = dice_.below(2);
    if (world_.node(node).life == Node::Life::kDown) {
      if (dice_.percent(weather_.restart_percent)) world_.restart(node);
      return;
    }
    // Any moment will do for a crash: between two actions, between a record and its message, in the middle of a recovery.
    if (dice_.below(1000) < weather_.crash_per_mille) {
      ++outcome_.crashes;
      return world_.crash(node);
    }
    if (dice_.below(1000) < weather_.disk_per_mille) return world_.fail_disk(node, dice_.percent(50));
    const uint32_t choice = dice_.below(100);
    if (choice < 35) return network();
    if (choice < 70) return (void)world_.act(node);
    if (choice < 86) return tick(node);
    if (choice < 86 + weather_.write_percent) return write(node);
    start(node);
  }

  void network() {
    if (world_.network().empty()) return;
    // Mostly in order: else nothing would ever come to an end.
    size_t index = dice_.below(world_.network().size());
    if (dice_.percent(60)) {
      const auto is_prompt = [&](const Message& message) { return message.kind != weather_.late; };
      const auto oldest = std::ranges::find_if(world_.network(), is_prompt);
      if (oldest == world_.network().end()) return;
      index = static_cast<size_t>(oldest - world_.network().begin());
    }
    const Kind kind = world_.network()[index].kind;
    if (weather_.late == kind && dice_.percent(95)) return;
    const bool is_lost = kind == Kind::kOffer || kind == Kind::kOffered;  // An attempt has one of each: a drop ends it.
    if (dice_.percent(weather_.muted == kind ? 90 : weather_.drop_percent / (is_lost ? 4 : 1))) return world_.drop(index);
    if (dice_.percent(weather_.duplicate_percent)) world_.duplicate(index);
    world_.deliver(index, dice_.percent(2));
  }

  template <class Jobs>
  JobId pick(const Jobs& jobs) {
    auto found = jobs.begin();
    std::advance(found, dice_.below(jobs.size()));
    return found->first;
  }

  void tick(NodeIndex node) {
    const Node& home = world_.node(node);
    const bool at_source = dice_.percent(70);
    if (at_source && !home.sources.empty()) {
      const JobId job = pick(home.sources);
      if (dice_.below(1000) < 5 * weather_.cancel_per_mille) return world_.fail_source(node, job);
      if (dice_.below(1000) < 5 * weather_.break_per_mille) return world_.interrupt_source(node, job);
      const bool is_preparing = home.sources.at(job).machine.state == SourceState::kPreparing;
      if (is_preparing && dice_.percent(weather_.break_prepared_percent)) return world_.interrupt_source(node, job);
      if (dice_.below(1000) < 5 * weather_.pause_per_mille) return world_.pause(node, job);
      if (home.sources.at(job).paused && dice_.percent(30)) return world_.unpause(node, job);
      const bool quiesces = dice_.percent(weather_.hurry_percent);
      world_.tick_source(node, job, quiesces, dice_.percent(50));
    } else if (!home.destinations.empty()) {
      const JobId job = pick(home.destinations);
      if (dice_.below(1000) < 5 * weather_.lost_per_mille) return world_.lose_source(node, job);
      if (dice_.below(1000) < 5 * weather_.break_per_mille) return world_.interrupt_destination(node, job);
      if (dice_.percent(weather_.checkpoint_percent)) return world_.checkpoint(node, job);
      world_.tick_destination(node, job);
    }
  }

  void write(NodeIndex node) {
    if (world_.node(node).served.empty()) return;
    const ObjectId object = pick(world_.node(node).served);
    if (dice_.percent(weather_.erase_percent)) return world_.erase(node, object);
    const uint32_t blocks = 1 + dice_.below(kWholeObject);
    world_.write(node, object, blocks, dice_.percent(weather_.back_percent));
  }

  void start(NodeIndex node) {
    constexpr size_t kJobsMax = 10;
    if (world_.node(node).served.empty() || world_.jobs().size() >= kJobsMax) return;
    const ObjectId object = pick(world_.node(node).served);
    const bool is_move = !dice_.percent(weather_.copy_percent);
    const bool destination_lasting = !dice_.percent(weather_.volatile_percent);
    world_.start(node, object, is_move, destination_lasting, dice_.percent(weather_.resumes_percent));
  }

  Dice dice_;
  const Weather weather_;
  CutoverWorld world_;
  Outcome outcome_;
};

}  // namespace

Outcome simulate(uint64_t seed, Flaw flaw, bool traced) { return Run(seed, flaw, traced).play(); }

}  // namespace godwit::model::sim
