#include "bench/nodes.hpp"

#include <fmt/format.h>

#include <cstring>
#include <stdexcept>

#include "bench/text.hpp"
#include "common/process.hpp"

namespace godwit::bench {

Nodes::Nodes(const Settings& settings, uint64_t region_bytes, Report& report)
    : source_(settings.from), destination_(settings.to) {
  if (source_.empty() != destination_.empty()) throw std::runtime_error("--from and --to belong together");
  if (!source_.empty()) {
    report.say(
        fmt::format("daemons: {} and {} (running; whether their memory is touched is theirs to say)", source_, destination_));
    return;
  }
  DaemonSettings own;
  own.provider = settings.provider;
  own.host = settings.host;
  own.prefault = !settings.cold;
  own.capacity_bytes = region_bytes + region_bytes / 8 + (64u << 20);
  daemons_ = std::make_unique<Daemons>(own);
  source_ = daemons_->address(0);
  destination_ = daemons_->address(1);
  report.say(fmt::format("daemons: {} and {}, default settings, {} a target, {}; state and pmem pools in {}", source_,
                         destination_, text_from_size(own.capacity_bytes),
                         settings.cold ? "dram NOT touched beforehand" : "dram touched beforehand (prefault)",
                         daemons_->directory()));
}

Target Nodes::target(const std::string& address, const std::string& kind) const {
  for (const TargetInfo& info : client_.targets(address))
    if (info.kind == kind) return client_.target(address, info.name);
  throw std::runtime_error(fmt::format("{} has no target of kind '{}'", address, kind));
}

double Nodes::processor_seconds() const {
  if (!daemons_) return 0;
  return tools::processor_seconds(daemons_->process(0)) + tools::processor_seconds(daemons_->process(1));
}

std::vector<char> random_bytes(uint64_t count) {
  std::vector<char> bytes(count);
  uint64_t state = 0x9E3779B97F4A7C15;
  for (uint64_t at = 0; at < count; at += sizeof state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    std::memcpy(bytes.data() + at, &state, std::min<uint64_t>(sizeof state, count - at));
  }
  return bytes;
}

}  // namespace godwit::bench
