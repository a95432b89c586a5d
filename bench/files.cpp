// How fast do files reach another node, beside raw libfabric and beside the usual tools?
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>

#include "base/units.hpp"
#include "bench/nodes.hpp"
#include "bench/peers.hpp"
#include "bench/questions.hpp"
#include "bench/raw_process.hpp"
#include "bench/text.hpp"

namespace godwit::bench {
namespace {

namespace fs = std::filesystem;

struct Case {
  uint64_t file_bytes;
  uint64_t files;
};

// The tree to be copied: so many files of random bytes.
void make_tree(const fs::path& root, const Case& which) {
  const std::vector<char> bytes = random_bytes(which.file_bytes);
  fs::create_directories(root);
  for (uint64_t i = 0; i < which.files; ++i)
    std::ofstream(root / fmt::format("{:06}", i), std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

double copy_with_godwit(Nodes& nodes, const Settings& settings, const std::string& tree, const std::string& into) {
  godwit_fileset_options options = GODWIT_FILESET_OPTIONS_INIT;
  options.block_bytes = settings.block_bytes;
  options.streams = settings.streams;
  return seconds_of([&] { nodes.client().migrate_files(nodes.source(), {tree}, nodes.destination(), into, options); });
}

// One way to copy, and the seconds it took each time.
struct Way {
  std::string name;
  std::function<double()> copy;
  std::vector<double> seconds = {};
};

void measure_case(const Settings& settings, Nodes& nodes, const Case& which, Report& report) {
  const fs::path base = fs::path(nodes.daemons()->directory()) / "files";
  const fs::path tree = base / "from" / "tree", into = base / "to";
  fs::create_directories(into);
  make_tree(tree, which);
  const uint64_t total = which.file_bytes * which.files;
  const RawRun raw = raw_like_product(settings.provider, settings.host, false, std::min<uint64_t>(total, which.file_bytes),
                                      total, settings.raw_block_bytes, settings.depth);
  std::vector<Way> ways;
  ways.push_back({"raw write", [&] { return run_raw(raw); }});
  ways.push_back({"godwit", [&] { return copy_with_godwit(nodes, settings, tree, into); }});
  std::unique_ptr<RsyncDaemon> rsync;
  if (RsyncDaemon::is_installed()) {
    rsync = std::make_unique<RsyncDaemon>(into);
    ways.push_back({"rsync -W, daemon", [&] { return rsync->copy(tree); }});
  }
  ways.push_back({"tar | socket | tar", [&] {
                    return run_through_socket({"tar", "-C", (base / "from").string(), "-cf", "-", "tree"},
                                              {"tar", "-C", into.string(), "-xf", "-"});
                  }});
  if (which.files == 1)
    ways.push_back({"cat | socket | cat", [&] {
                      fs::create_directories(into / "tree");
                      return run_through_socket({"cat", (tree / "000000").string()},
                                                {"sh", "-c", fmt::format("cat > '{}'", (into / "tree/000000").string())});
                    }});
  for (uint32_t repeat = 0; repeat < settings.repeat + 1; ++repeat)
    for (Way& way : ways) {
      const double seconds = way.copy();
      if (repeat > 0) way.seconds.push_back(seconds);  // The first run warms up.
      fs::remove_all(into / "tree");
    }
  for (size_t i = 1; i < ways.size(); ++i) {
    Record record;
    record.name = ways[i].name;
    record.provider = i == 1 ? settings.provider : "tcp";
    record.from = record.to = "files";
    record.bytes = which.file_bytes;
    record.count = which.files;
    record.seconds = ways[i].seconds;
    record.raw_seconds = ways[0].seconds;
    record.raw_bytes = raw.bytes();
    record.raw_name = raw.name();
    std::vector<double> times;
    for (size_t run = 0; run < record.seconds.size(); ++run) times.push_back(record.seconds[run] / ways[1].seconds[run]);
    record.details = {{"files_per_second", static_cast<double>(which.files) / median(record.seconds)},
                      {"times_slower_than_godwit", median(times)}};
    const std::string note = fmt::format("    {:.0f} files/s, {:.2f} times godwit's time",
                                         record.details["files_per_second"].get<double>(), median(times));
    report.add(std::move(record));
    fmt::print("{}\n", note);
  }
  fs::remove_all(base);
}

}  // namespace

void measure_files(const Settings& settings, Report& report) {
  std::vector<Case> cases;
  uint64_t most = 0;
  for (const uint64_t size : settings.sizes_bytes) {
    // One large file, or --count small ones.
    cases.push_back({size, size >= 64_MiB ? 1 : settings.count});
    most = std::max(most, cases.back().file_bytes * cases.back().files);
  }
  Nodes nodes(settings, most, report);
  if (nodes.daemons() == nullptr)
    throw std::runtime_error("files: takes two daemons of its own; --from and --to are not for it");
  report.say(
      fmt::format("files: a tree copied with digests checked, below {}; beside it raw writes of {}, depth {}, and the usual "
                  "tools over loopback; interleaved, median of {}",
                  nodes.daemons()->directory(), text_from_size(settings.raw_block_bytes), settings.depth, settings.repeat));
  for (const Case& which : cases) measure_case(settings, nodes, which, report);
}

}  // namespace godwit::bench
