// What does one client thread reach, with small regions and with one large region?
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "bench/huge_buffer.hpp"
#include "bench/nodes.hpp"
#include "bench/questions.hpp"
#include "bench/raw_process.hpp"

namespace godwit::bench {
namespace {

constexpr uint64_t kSmallBytes = 4096;

Record record_of(const Settings& settings, const char* name, const std::string& from, const std::string& to, uint64_t bytes,
                 uint64_t count) {
  Record record;
  record.name = name;
  record.provider = settings.provider;
  record.from = from;
  record.to = to;
  record.bytes = bytes;
  record.count = count;
  return record;
}

// One after the other, each awaited. Beside it: raw operations of the same size, one at a time.
void measure_small(const Settings& settings, Nodes& nodes, const std::string& kind, Report& report) {
  const uint64_t count = settings.count;
  Record create = record_of(settings, "create+write", "client", kind, kSmallBytes, count);
  Record read = record_of(settings, "read", kind, "client", kSmallBytes, count);
  Record erase = record_of(settings, "erase", kind, kind, kSmallBytes, count);
  const Target target = nodes.target(nodes.source(), kind);
  std::vector<char> data = random_bytes(kSmallBytes);
  for (Record* record : {&create, &read}) {
    record->raw_bytes = count * kSmallBytes;
    record->raw_name = record == &read ? "raw read, depth 1" : "raw write, depth 1";
  }
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {
    create.raw_seconds.push_back(run_raw({settings.provider, settings.host, false, kSmallBytes, count, 1, 0}));
    read.raw_seconds.push_back(run_raw({settings.provider, settings.host, true, kSmallBytes, count, 1, 0}));
    std::vector<Region> regions;
    regions.reserve(count);
    create.seconds.push_back(seconds_of([&] {
      for (uint64_t i = 0; i < count; ++i) regions.push_back(target.create(data.data(), data.size()));
    }));
    read.seconds.push_back(seconds_of([&] {
      for (const Region& region : regions) region.read(0, data.data(), data.size());
    }));
    erase.seconds.push_back(seconds_of([&] {
      for (const Region& region : regions) region.erase();
    }));
  }
  for (Record* record : {&create, &read, &erase}) report.add(std::move(*record));
}

// The region exists; the client's buffer and the region's memory are touched.
void measure_large(const Settings& settings, Nodes& nodes, const std::string& kind, uint64_t bytes, Report& report) {
  Record write = record_of(settings, "write", "client", kind, bytes, 1);
  Record read = record_of(settings, "read", kind, "client", bytes, 1);
  RawRun raw[2];
  for (const bool is_read : {false, true})
    raw[is_read] =
        raw_like_product(settings.provider, settings.host, is_read, bytes, bytes, settings.raw_block_bytes, settings.depth);
  const Region region = nodes.target(nodes.source(), kind).create(bytes);
  const HugeBuffer data(bytes), back(bytes);
  std::ranges::copy(random_bytes(bytes), data.data());
  region.write(0, data.data(), bytes);
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {
    write.raw_seconds.push_back(run_raw(raw[0]));
    write.seconds.push_back(seconds_of([&] { region.write(0, data.data(), bytes); }));
    read.raw_seconds.push_back(run_raw(raw[1]));
    read.seconds.push_back(seconds_of([&] { region.read(0, back.data(), bytes); }));
  }
  if (std::memcmp(back.data(), data.data(), bytes) != 0)
    throw std::runtime_error("the region gave back other bytes than were written");
  write.raw_bytes = read.raw_bytes = raw[0].bytes();
  write.raw_name = raw[0].name();
  read.raw_name = raw[1].name();
  report.add(std::move(write));
  report.add(std::move(read));
  region.erase();
}

}  // namespace

void measure_io(const Settings& settings, Report& report) {
  const uint64_t largest = *std::max_element(settings.sizes_bytes.begin(), settings.sizes_bytes.end());
  Nodes nodes(settings, std::max(largest, settings.count * kSmallBytes), report);
  report.say(fmt::format("io: one client thread, every call awaited; {} regions of 4 KiB, then one large region; median of {}",
                         settings.count, settings.repeat));
  for (const std::string& kind : settings.kinds) {
    measure_small(settings, nodes, kind, report);
    for (const uint64_t size : settings.sizes_bytes)
      if (size > kSmallBytes) measure_large(settings, nodes, kind, size, report);
  }
}

}  // namespace godwit::bench
