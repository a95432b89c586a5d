// godwit-bulk: moves many regions between Godwit daemons, shared out over MPI ranks.
//
// Rank 0 lists the regions, plans the calls, and gives them out one at a time; every rank, 0 too, keeps a few migrations going.
#include <fmt/format.h>
#include <mpi.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "godwit-bulk/mpi_link.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/report.hpp"
#include "godwit-bulk/selection.hpp"
#include "godwit-bulk/worker.hpp"

namespace {

using namespace godwit::bulk;

constexpr int kGo = -1;  // Rank 0 has a plan; anything else: end with this exit code.

// All ranks learn what rank 0 decided.
int agree(int value) {
  MPI_Bcast(&value, 1, MPI_INT, 0, MPI_COMM_WORLD);
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

// Gives out what is planned, while a thread does this rank's share.
int direct(const Options& options, const Selection& selection, const std::vector<Batch>& batches, uint32_t ranks) {
  Dispatcher dispatcher(selection.items, batches, ranks, static_cast<uint32_t>(options.to.size()), selection.unknown);
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
  while (!dispatcher.is_finished()) {
    if (has_failed) give_up(failure.c_str());
    if (!serve_one(dispatcher)) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    progress.show(dispatcher);
  }
  worker.join();
  progress.finish();
  const Tally tally = dispatcher.tally();
  const double seconds = progress.seconds();
  print_tally(options, tally, seconds);
  if (!options.report_file.empty() && !write_report(options, tally, seconds) && exit_code(tally) == 0)
    return agree(godwit_error_exit_code(GODWIT_ERR_IO));
  return agree(exit_code(tally));
}

int lead(const Options& options, uint32_t ranks) {
  try {
    const Selection selection = select(options);
    PlanSettings settings;
    settings.ranks = ranks;
    settings.batch_items_max = options.batch;
    const std::vector<Batch> batches = plan_batches(selection.items, selection.free_bytes, settings);
    if (options.dry_run) {
      print_plan(options, selection.items, batches, Shares(batches, ranks), ranks, selection.unknown);
      return agree(selection.unknown.empty() ? 0 : godwit_error_exit_code(GODWIT_ERR_NOT_FOUND));
    }
    agree(kGo);
    return direct(options, selection, batches, ranks);
  } catch (const Refused& refused) {  // Before anything was agreed: select() is the only one that throws it.
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
  return rank == 0 ? lead(*parsed.options, static_cast<uint32_t>(ranks)) : work(*parsed.options);
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
  MPI_Barrier(MPI_COMM_WORLD);  // Rank 0 has said everything before a launcher sees an exit code.
  MPI_Finalize();
  return code;
}
