#include "cutover_simulator.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

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
  std::optional<Kind> muted;  // Hardly ever gets through: leads deep into the states that wait for it.
};

Weather draw(Dice& dice) {
  Weather weather{};
  weather.steps = 60 + dice.below(500);
  weather.crash_per_mille = dice.percent(20) ? 0 : dice.below(40);
  weather.restart_percent = 5 + dice.below(60);
  weather.drop_percent = dice.percent(30) ? 0 : dice.below(30);
  weather.duplicate_percent = dice.below(25);
  weather.cancel_per_mille = dice.percent(30) ? 0 : dice.below(25);
  weather.lost_per_mille = dice.percent(30) ? 0 : dice.below(25);
  weather.volatile_percent = dice.below(100);
  weather.copy_percent = dice.below(40);
  weather.hurry_percent = 30 + dice.below(70);
  weather.write_percent = 2 + dice.below(10);
  constexpr size_t kKinds = static_cast<size_t>(Kind::kAsk) + 1;
  if (dice.percent(50)) weather.muted = static_cast<Kind>(dice.below(kKinds));
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
    outcome_.violation = world_.check_end();
    if (outcome_.violation.empty() && !ended) outcome_.violation = "promise 4: the run does not end";
    if (!world_.trace().empty()) outcome_.trace = fmt::format("  {}\n", fmt::join(world_.trace(), "\n  "));
    for (const auto& [id, job] : world_.jobs()) outcome_.commits += job.owned;
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
    const uint32_t choice = dice_.below(100);
    if (choice < 40) return network();
    if (choice < 70) return (void)world_.act(node);
    if (choice < 85) return tick(node);
    if (choice < 85 + weather_.write_percent) return write(node);
    start(node);
  }

  void network() {
    if (world_.network().empty()) return;
    // Mostly in order: else nothing would ever come to an end.
    const size_t index = dice_.percent(60) ? 0 : dice_.below(world_.network().size());
    const bool is_muted = weather_.muted == world_.network()[index].kind;
    if (dice_.percent(is_muted ? 90 : weather_.drop_percent)) return world_.drop(index);
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
      world_.tick_source(node, job, dice_.percent(weather_.hurry_percent));
    } else if (!home.destinations.empty()) {
      const JobId job = pick(home.destinations);
      if (dice_.below(1000) < 5 * weather_.lost_per_mille) return world_.lose_source(node, job);
      world_.tick_destination(node, job);
    }
  }

  void write(NodeIndex node) {
    if (!world_.node(node).served.empty()) world_.write(node, pick(world_.node(node).served));
  }

  void start(NodeIndex node) {
    constexpr size_t kJobsMax = 10;
    if (world_.node(node).served.empty() || world_.jobs().size() >= kJobsMax) return;
    const ObjectId object = pick(world_.node(node).served);
    const bool is_move = !dice_.percent(weather_.copy_percent);
    world_.start(node, object, is_move, !dice_.percent(weather_.volatile_percent));
  }

  Dice dice_;
  const Weather weather_;
  CutoverWorld world_;
  Outcome outcome_;
};

}  // namespace

Outcome simulate(uint64_t seed, Flaw flaw, bool traced) { return Run(seed, flaw, traced).play(); }

}  // namespace godwit::model::sim
