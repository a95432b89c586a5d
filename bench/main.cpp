// godwit-bench: how close Godwit comes to what the fabric can do.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstring>
#include <godwit/godwit.hpp>

#include "bench/questions.hpp"
#include "bench/raw_process.hpp"
#include "bench/text.hpp"
#include "common/daemons.hpp"
#include "common/machine.hpp"
#include "common/tool_report.hpp"

namespace {

using namespace godwit::bench;

struct Question {
  const char* name;
  const char* help;
  void (*measure)(const Settings&, Report&);
  const char* sizes;
};
constexpr Question kQuestions[] = {
    {"raw", "the ceiling: a tight fi_write / fi_read loop, nothing of Godwit", measure_raw,
     "4KiB,64KiB,1MiB,16MiB,256MiB,1GiB"},
    {"migrate", "migrations end to end, beside the raw loop", measure_migrate, "4KiB,64KiB,1MiB,16MiB,256MiB,1GiB"},
    {"io", "one client thread: small and large reads and writes", measure_io, "1GiB"},
    {"regions", "many 4 KiB regions moved in one call", measure_regions, "4KiB"},
    {"files", "one large file, and many small ones, beside rsync and tar", measure_files, "64KiB,1GiB"},
    {"db", "databases moved, and how long their writers wait (--total of one that is written to)", measure_databases, "116"},
    {"compress", "migrations without compression, with lz4 and with zstd: a field of doubles, random bytes, zeros",
     measure_compress, "256MiB"},
    {"resume", "a migration whose daemons are killed half-way: what is sent again", measure_resume, "256MiB"},
    {"steer", "how soon a job pauses and goes on, and how near it comes to its limits, second by second", measure_steer,
     "1GiB"},
    {"hdf5", "a large HDF5 dataset in a region, beside a file", measure_hdf5, "256MiB"},
    {"memory", "a daemon's memory beyond its regions during a migration", measure_memory, "1GiB"},
};

void add_options(CLI::App& command, Settings& settings, std::vector<std::string>& sizes) {
  command.add_option("--sizes", sizes, "sizes, separated by commas (default: " + sizes.front() + ")")->delimiter(',');
  command.add_option("--kinds", settings.kinds, "kinds of target: dram, pmem, file")->delimiter(',')->capture_default_str();
  command.add_option("--provider", settings.provider, "libfabric provider: tcp, shm, verbs, ...")->capture_default_str();
  command.add_option("--host", settings.host, "local address of the fabric")->capture_default_str();
  command.add_option("--repeat", settings.repeat, "measurements of each case")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  command.add_option("--count", settings.count, "small regions or operations in a measurement")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command.add_option("--depth", settings.depth, "operations in flight of the raw loop")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command.add_option("--streams", settings.streams, "connections of a migration; 0: as the daemons are configured");
  command.add_option("--from", settings.from, "address of a running source daemon (default: our own)");
  command.add_option("--to", settings.to, "address of a running destination daemon");
  command.add_flag("--sweep", settings.sweep, "raw: also over hot buffers, and over depths");
  command.add_flag("--cold", settings.cold, "do not touch the dram targets' memory beforehand");
  command.add_option("--report", settings.report_file, "write what was measured to this file, as JSON: see godwit-report");
}

int run(int argc, char** argv) {
  CLI::App app{"godwit-bench: how close Godwit comes to what the fabric can do"};
  app.footer("Example:\n  godwit-bench migrate --provider tcp --sizes 1MiB,1GiB --kinds dram --report migrate.json");
  app.require_subcommand(1);
  Settings settings;
  std::vector<std::string> sizes[std::size(kQuestions)];
  std::string raw_block = "1MiB", block;
  std::string total;
  std::vector<std::string> rates{"8MiB", "64MiB", "256MiB"};
  for (size_t i = 0; i < std::size(kQuestions); ++i) {
    CLI::App* command = app.add_subcommand(kQuestions[i].name, kQuestions[i].help);
    sizes[i] = {kQuestions[i].sizes};
    add_options(*command, settings, sizes[i]);
    command->add_option("--raw-block", raw_block, "longest operation of the raw loop")->capture_default_str();
    command->add_option("--block", block, "block of a migration (default: as the daemons are configured)");
    command->add_option("--keys", settings.keys, "keys of each database")->capture_default_str();
    command->add_option("--rates", rates, "limits of `steer`, in bytes a second (default: 8MiB,64MiB,256MiB)")->delimiter(',');
    command->add_option("--total", total, "bytes moved for each small size (default 256MiB, at most --count regions)");
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  settings.raw_block_bytes = size_from_text(raw_block);
  if (!block.empty()) settings.block_bytes = size_from_text(block);
  if (!total.empty()) settings.total_bytes = size_from_text(total);
  for (const std::string& rate : rates) settings.rates.push_back(size_from_text(rate));
  for (size_t i = 0; i < std::size(kQuestions); ++i) {
    if (!app.got_subcommand(kQuestions[i].name)) continue;
    for (const std::string& list : sizes[i])
      for (const std::string& size : CLI::detail::split(list, ',')) settings.sizes_bytes.push_back(size_from_text(size));
    nlohmann::json head = godwit::tools::begin_report("godwit-bench", argc, argv);
    head["libraries"] = {{"libfabric", raw_process_version()}};
    const std::string machine = godwit::tools::machine_line(head["machine"]);
    Report report(settings, kQuestions[i].name, std::move(head));
    report.say(fmt::format("machine: {}; Godwit {}; provider {}{}", machine, godwit_version(), settings.provider,
                           settings.provider == "verbs" ? "" : " (not RDMA)"));
    kQuestions[i].measure(settings, report);
    report.finish();
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], kRawProcess) == 0) return raw_process_main(argc, argv);
  godwit::tools::clean_up_on_signals();
  try {
    return run(argc, argv);
  } catch (const godwit::Error& error) {
    fmt::print(stderr, "godwit-bench: {}\n  what to do: {}\n", error.what(), error.remedy());
    return godwit_error_exit_code(error.code());
  } catch (const std::exception& error) {
    fmt::print(stderr, "godwit-bench: {}\n", error.what());
    return 1;
  }
}
