// godwit-bulk: moves many regions, databases and files between Godwit daemons, shared out over MPI ranks.
//
// Rank 0 lists the objects, plans the calls, and gives them out one at a time; every rank, 0 too, keeps a few migrations going.
#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <utility>

#include "common/await.hpp"
#include "common/lone_rank.hpp"
#include "common/mpi_version.hpp"
#include "common/tool_report.hpp"
#include "godwit-bulk/mpi_link.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/progress.hpp"
#include "godwit-bulk/report.hpp"
#include "godwit-bulk/resume.hpp"
#include "godwit-bulk/selection.hpp"
#include "godwit-bulk/worker.hpp"

namespace {

using namespace godwit::bulk;

constexpr int kGo = -1;  // Rank 0 has a plan; anything else: end with this exit code.

// All ranks learn what rank 0 decided.
int agree(int value) {
  godwit::tools::quiet_bcast(&value, 1, MPI_INT, 0);
  return value;
}

// A rank that cannot do its part ends the run: its work could not be told from work that is under way.
[[noreturn]] void give_up(const char* what) {
  fmt::print(stderr, "godwit-bulk: {}\n", what);
  MPI_Abort(MPI_COMM_WORLD, godwit_error_exit_code(GODWIT_ERR_INTERNAL));
  std::abort();
}

int work(const Options& options) {
  if (const int code = agree(kGo); code != kGo) return code;
  MpiLink link;
  Worker(options, link).run();
  return agree(0);
}

// What rank 0 has decided before the ranks begin.
struct Beginning {
  nlohmann::json report;  // As it begins.
  Nodes nodes;
  Selection selection;
  Tally begun;
};

// Gives out what is planned, while a thread does this rank's share.
int direct(const Options& options, Beginning& beginning, Schedule schedule, RunLines* lines, uint32_t ranks) {
  Items& items = beginning.selection.items;
  Dispatcher dispatcher(Dispatcher::Run{options, beginning.nodes, items, lines, ranks}, std::move(schedule), beginning.begun);
  Progress progress(options.quiet);
  std::atomic<bool> has_failed = false;
  std::string failure;
  std::thread worker([&] {
    try {
      LocalLink link(dispatcher);
      Worker(options, link).run();
    } catch (const std::exception& error) {
      failure = error.what();
      has_failed = true;
    }
  });
  MpiServer server(dispatcher);
  while (!dispatcher.is_finished()) {
    if (has_failed) give_up(failure.c_str());
    if (!server.serve()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    progress.show(dispatcher);
  }
  worker.join();
  server.finish();
  progress.finish();
  const Tally tally = dispatcher.tally();
  const double seconds = dispatcher.seconds();
  print_tally(options, beginning.nodes, tally, seconds);
  if (!lines) return agree(exit_code(tally));
  const bool is_whole = lines->finish();
  if (!is_whole) fmt::print(stderr, "godwit-bulk: {} is not whole\n", lines_path(options.report_file));
  const bool is_written = write_report(
      std::move(beginning.report),
      Account{options, beginning.nodes, tally, dispatcher.calls(), dispatcher.calls_total(), seconds, items.memory_bytes()});
  const int code = exit_code(tally);
  return agree(code == 0 && (!is_whole || !is_written) ? godwit_error_exit_code(GODWIT_ERR_IO) : code);
}

// Opens the report's lines, with what the earlier run has moved.
std::unique_ptr<RunLines> begin_lines(const Options& options, const Beginning& beginning, const EarlierRun& earlier) {
  if (options.report_file.empty()) return nullptr;
  auto lines =
      std::make_unique<RunLines>(lines_path(options.report_file), options.copy, beginning.nodes.from, beginning.nodes.to);
  if (!options.resume_file.empty()) {
    std::ifstream before(lines_of_report(options.resume_file));
    earlier.carry(before, *lines);
  }
  lines->begin();
  std::remove(options.report_file.c_str());  // Of a run that is past: its lines are gone.
  return lines;
}

Tally tally_of(const Selection& selection, const EarlierRun& earlier) {
  Tally begun;
  begun.earlier = earlier.arrived();
  begun.failed = begun.objects_total = selection.unknown.size();
  if (begun.failed) begun.first_error = selection.unknown.front().error;
  begun.failures.assign(selection.unknown.begin(), selection.unknown.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                                   selection.unknown.size(), kFailuresKept)));
  return begun;
}

int lead(const Options& options, uint32_t ranks, int argc, char** argv) {
  try {
    Beginning beginning;
    beginning.nodes = find_nodes(options);
    if (!options.report_file.empty()) {
      beginning.report = godwit::tools::begin_report("godwit-bulk", argc, argv);
      beginning.report["libraries"] = godwit::tools::libraries_at(beginning.nodes.from.front());
      beginning.report["libraries"]["mpi"] = godwit::tools::mpi_version();
    }
    const EarlierRun earlier = read_earlier(options);
    beginning.selection = select(options, beginning.nodes, earlier);
    const Items& items = beginning.selection.items;
    beginning.begun = tally_of(beginning.selection, earlier);
    Placement placement(beginning.selection.free_bytes, beginning.nodes.itself());
    PlanSettings settings;
    settings.ranks = ranks;
    settings.batch_items_max = options.batch;
    std::vector<Batch> batches = plan_batches(items, placement, settings);
    if (options.dry_run) {
      print_plan(options, beginning.nodes, items, batches, ranks, beginning.begun);
      return agree(godwit_error_exit_code(beginning.begun.first_error));
    }
    const auto lines = begin_lines(options, beginning, earlier);
    Schedule schedule(items, std::move(placement), std::move(batches), static_cast<uint32_t>(beginning.nodes.from.size()),
                      options.per_node);
    agree(kGo);
    return direct(options, beginning, std::move(schedule), lines.get(), ranks);
  } catch (const Refused& refused) {  // Before anything was agreed: nothing after that throws it.
    fmt::print(stderr, "godwit-bulk: {}\n  what to do: {}\n", refused.what(), godwit_error_remedy(refused.error()));
    return agree(godwit_error_exit_code(refused.error()));
  }
}

int run(int argc, char** argv) {
  int rank = 0, ranks = 1;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const Parsed parsed = parse_options(argc, argv, rank == 0);
  if (!parsed.options) return parsed.exit_code;
  if (const std::string mistake = godwit::tools::lone_rank_mistake(); !mistake.empty()) {
    fmt::print(stderr, "godwit-bulk: {}\n", mistake);
    return godwit_error_exit_code(GODWIT_ERR_INVALID);
  }
  return rank == 0 ? lead(*parsed.options, static_cast<uint32_t>(ranks), argc, argv) : work(*parsed.options);
}

}  // namespace

int main(int argc, char** argv) {
  int provided = 0;
  MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided);
  int code = 1;
  try {
    code = run(argc, argv);
  } catch (const std::exception& error) {
    give_up(error.what());
  }
  std::fflush(stdout);
  godwit::tools::quiet_barrier();  // Rank 0 has said everything before a launcher sees an exit code.
  MPI_Finalize();
  return code;
}
