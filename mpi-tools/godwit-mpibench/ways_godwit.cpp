#include <fmt/format.h>
#include <mpi.h>

#include <godwit/godwit.hpp>
#include <optional>
#include <stdexcept>

#include "godwit-mpibench/stopwatch.hpp"
#include "godwit-mpibench/ways.hpp"

namespace godwit::mpibench {
namespace {

constexpr int kRegions = 2;

// What all of Godwit's ways of one rank share.
struct Nodes {
  Client client;
  std::string here, next;  // Addresses; the same: there is no other.

  Target target(const std::string& address, const std::string& kind) const {
    for (const TargetInfo& info : client.targets(address))
      if (info.kind == kind) return client.target(address, info.name);
    throw std::runtime_error(fmt::format("{} has no target of kind '{}'; see --kinds", address, kind));
  }
};

// Bytes that do not compress.
std::vector<char> some_bytes(uint64_t count) {
  std::vector<char> bytes(count);
  uint64_t state = 0x9E3779B97F4A7C15;
  for (char& byte : bytes) {
    state = state * 6364136223846793005 + 1442695040888963407;
    byte = static_cast<char>(state >> 56);
  }
  return bytes;
}

// The second rank's regions, which the first one is told of.
class OnRegions : public Way {
 public:
  OnRegions(std::shared_ptr<const Nodes> nodes, std::string kind) : nodes_(std::move(nodes)), kind_(std::move(kind)) {}

  void prepare(const Team& team, const Load& load) override {
    bytes_ = some_bytes(load.size_bytes);
    ids_.assign(regions_for(load), RegionId{});
    const int length = static_cast<int>(ids_.size() * sizeof(RegionId));
    if (team.is_first()) {
      MPI_Recv(ids_.data(), length, MPI_BYTE, team.partner(), kRegions, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else {
      const Target target = nodes_->target(nodes_->here, kind_);
      for (RegionId& id : ids_) id = target.create(bytes_.data(), bytes_.size()).id();
      MPI_Send(ids_.data(), length, MPI_BYTE, team.partner(), kRegions, MPI_COMM_WORLD);
    }
  }
  void finish(const Team& team) override {
    if (!team.is_first())
      for (const RegionId id : ids_) nodes_->client.region(nodes_->here, id).erase();
    ids_.clear();
  }

 protected:
  virtual uint64_t regions_for(const Load&) const { return 1; }

  const std::shared_ptr<const Nodes> nodes_;
  const std::string kind_;
  std::vector<RegionId> ids_;
  std::vector<char> bytes_;
};

class Access : public OnRegions {
 public:
  Access(std::shared_ptr<const Nodes> nodes, std::string kind, bool is_read)
      : OnRegions(std::move(nodes), std::move(kind)), is_read_(is_read) {}

  std::string name() const override { return is_read_ ? "godwit get" : "godwit put"; }
  std::string from() const override { return is_read_ ? kind_ : "memory"; }
  std::string to() const override { return is_read_ ? "memory" : kind_; }
  std::string ceiling() const override { return is_read_ ? "raw read" : "raw write"; }

  std::vector<double> run(const Load& load) override {
    const Region region = nodes_->client.region(nodes_->here, ids_.front());
    return time_calls(
        load, [&] { is_read_ ? region.read(0, bytes_.data(), bytes_.size()) : region.write(0, bytes_.data(), bytes_.size()); },
        [] {});
  }

 private:
  const bool is_read_;
};

class Move : public OnRegions {
 public:
  using OnRegions::OnRegions;

  std::string name() const override { return "godwit migrate"; }
  std::string from() const override { return kind_; }
  std::string to() const override { return kind_; }
  std::string ceiling() const override { return "raw read"; }
  uint64_t count_max() const override { return 1000; }

  // Each alone: one that goes and comes back. Together: all in one call.
  std::vector<double> run(const Load& load) override {
    if (!load.is_each)
      return time_calls(
          Load{load.size_bytes, 1, false}, [&] { move_all(nodes_->here, nodes_->next); }, [] {});
    std::vector<double> seconds;
    for (uint64_t i = 0; i < load.count; ++i) {
      if (i > 0) move_all(nodes_->next, nodes_->here);
      seconds.push_back(time_calls(
                            Load{load.size_bytes, 1, false}, [&] { move_all(nodes_->here, nodes_->next); }, [] {})
                            .front());
    }
    return seconds;
  }
  void restore(const Load&) override { move_all(nodes_->next, nodes_->here); }

 private:
  uint64_t regions_for(const Load& load) const override { return load.is_each ? 1 : load.count; }
  void move_all(const std::string& from, const std::string& to) const {
    for (const MigrateResult& result : nodes_->client.migrate(from, ids_, nodes_->target(to, kind_)))
      if (result.error != GODWIT_OK) throw Error(result.error, "a region did not arrive");
  }
};

}  // namespace

void add_godwit_ways(const Options& options, const std::vector<std::string>& daemons, int pair, Ways& ways) {
  auto nodes = std::make_shared<Nodes>();
  const auto index = static_cast<size_t>(pair);
  nodes->here = daemons[index % daemons.size()];
  nodes->next = daemons[(index + 1) % daemons.size()];
  for (const std::string& kind : options.kinds) {
    ways.push_back(std::make_unique<Access>(nodes, kind, false));
    ways.push_back(std::make_unique<Access>(nodes, kind, true));
    if (daemons.size() > 1) ways.push_back(std::make_unique<Move>(nodes, kind));
  }
}

}  // namespace godwit::mpibench
