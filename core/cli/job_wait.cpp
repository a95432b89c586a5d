#include "job_wait.hpp"

#include <fmt/format.h>

#include "progress.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

std::string id_of(godwit_migration* migration) {
  char id[33];
  check(godwit_migration_get_id(migration, id));
  return id;
}

// Returns once the job has ended: GODWIT_OK or the job's error, and its text.
int wait_with_progress(const Session& session, godwit_migration* migration, std::string& text) {
  Progress progress(session.quiet);
  constexpr uint32_t kSliceMs = 200;
  for (;;) {
    int outcome = godwit_migration_wait(migration, kSliceMs);
    text = outcome == GODWIT_OK ? "" : godwit_last_error();
    int done = 0;
    godwit_progress now{};
    check(godwit_migration_test(migration, &done, &now));
    progress.show(now);
    if (done == 0 && outcome == GODWIT_ERR_TIMEOUT) continue;
    if (done != 0) {  // Perhaps only since; and a job's own error may be a timeout, too.
      outcome = godwit_migration_wait(migration, 0);
      text = outcome == GODWIT_OK ? "" : godwit_last_error();
    }
    return outcome;
  }
}

void print_results(const Session& session, godwit_migration* migration, int outcome, const Wording& wording) {
  Array<godwit_migrate_result> results;
  check(godwit_migration_results(migration, results.out(), results.out_count()));
  uint64_t arrived = 0;
  uint64_t bytes = 0;
  Json list = Json::array();
  size_t index = 0;
  for (const auto& result : results.items()) {
    const std::string name = index < wording.names.size() ? printable(wording.names[index]) : to_text(result.source_id);
    ++index;
    if (session.json) list.push_back(to_json(result));
    if (result.error == GODWIT_OK) {
      ++arrived;
      bytes += result.size_bytes;
    } else if (!session.json) {
      fmt::print(stderr, "godwit: {} {} stayed: {}\n", wording.one, name, godwit_error_meaning(result.error));
    }
  }
  if (session.json) {
    print_json({{"job", id_of(migration)},
                {"error", error_name(outcome)},
                {wording.many, results.items().size()},
                {wording.many + "_arrived", arrived},
                {"bytes", bytes},
                {"results", list},
                {"report", report_of(migration)}});
    return;
  }
  print(fmt::format("{} of {} {} arrived, {} (job {})\n", arrived, results.items().size(), wording.many,
                    format_size(static_cast<double>(bytes)), id_of(migration)));
}

}  // namespace

Json report_of(godwit_migration* migration) {
  char* text = nullptr;
  if (godwit_migration_report(migration, &text) != GODWIT_OK) return nullptr;
  const Text report(text);
  const Json json = Json::parse(report.get(), nullptr, false);
  return json.is_discarded() ? Json(nullptr) : json;
}

int wait_and_report(Session& session, godwit_migration* migration, const Wording& wording) {
  std::string text;
  const int outcome = wait_with_progress(session, migration, text);
  int done = 0;
  check(godwit_migration_test(migration, &done, nullptr));
  if (done != 0) print_results(session, migration, outcome, wording);
  if (outcome == GODWIT_OK) return 0;
  throw Failure(outcome, text);
}

}  // namespace godwit::cli
