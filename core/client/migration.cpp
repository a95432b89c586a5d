#include "client/migration.hpp"

#include <fmt/format.h>

#include <string_view>

#include "client/fileset.hpp"
#include "client/lane.hpp"
#include "client/to_c.hpp"
#include "model/phase.hpp"

namespace godwit::client {
namespace {

constexpr milliseconds kPollWithCallback{100};
constexpr milliseconds kPoll{1'000};
constexpr uint32_t kPageResults = 10'000;

}  // namespace

Result<Id> Migration::start(Client& client, const fabric::Address& source, const MigrationPlan& plan) {
  const Lease lane = client.borrow();
  std::vector<wire::Id> regions;
  regions.reserve(plan.regions.size());
  for (const Id& region : plan.regions) regions.push_back(protocol::to_wire(region));
  const wire::Transfer transfer = protocol::to_wire(plan.transfer);
  const Request request = lane->request(
      wire::CreateMigrateRequestDirect(lane->builder(), &regions, plan.destination.c_str(), plan.destination_target.c_str(),
                                       plan.copy, plan.name.empty() ? nullptr : plan.name.c_str(), &transfer));
  auto job = started_job(lane->ask(source, request, Repeat::kNever), source);
  if (!job) return with_context("starting a migration to " + plan.destination, std::move(job).error());
  return job;
}

Error Migration::about(Errc code, const std::string& text) const {
  return place_.about(Error{code, to_string(place_.address()) + ": " + text});
}

Result<JobState> Migration::ask(milliseconds wait, wire::JobAction action, uint64_t bandwidth) {
  const Result<Reply> reply = place_.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = client_.borrow();
    const wire::Id job = protocol::to_wire(job_);
    const Request request =
        lane->request(wire::CreateJobRequest(lane->builder(), &job, static_cast<uint32_t>(wait.count()), action, bandwidth));
    const Deadline deadline = Deadline::after(client_.settings().operation_timeout + wait);
    return lane->ask(at, fabric::Purpose::kControl, request, Repeat::kWhenBroken, deadline);
  });
  if (!reply) return reply.error();
  const auto* answer = reply->body<wire::JobReply>();
  if (answer == nullptr) return place_.about(reply->to_error(place_.address()));
  const wire::JobEntry* entry = answer->entry();
  if (entry == nullptr) return about(Errc::kProtocol, "the daemon's answer is empty");
  return JobState{to_c(*entry), protocol::text_of(entry->error_text())};
}

Result<JobState> Migration::test() { return ask(milliseconds(0)); }

Result<> Migration::wait(milliseconds timeout) {
  const bool is_limited = timeout.count() != 0;
  const Deadline deadline = Deadline::after(is_limited ? timeout : milliseconds(0));
  const milliseconds longest = progress_ == nullptr && approve_ == nullptr ? kPoll : kPollWithCallback;
  bool is_cancelled = false;
  bool is_asked = false;
  for (;;) {
    milliseconds poll = longest;
    if (is_limited) poll = std::min(poll, std::chrono::ceil<milliseconds>(deadline.left()));
    const Result<JobState> state = ask(poll);
    if (!state) return state.error();
    if (progress_ != nullptr && progress_(&state->info.progress, progress_context_) != 0 && !is_cancelled &&
        state->info.ended == 0) {
      is_cancelled = true;
      if (auto cancelled = cancel(); !cancelled) return cancelled;
    }
    if (!is_asked && !is_cancelled && is_held(*state)) {
      is_asked = true;
      if (auto told = decide_cutover(); !told) return told;
    }
    if (state->info.ended != 0) {
      if (state->info.error == GODWIT_OK) return Done{};
      return about(error_from_number(state->info.error), state->error_text);
    }
    // It may last until somebody repairs the peer, so it is told at once.
    if (state->info.error == GODWIT_ERR_IN_DOUBT) return about(Errc::kInDoubt, state->error_text);
    if (is_limited && deadline.passed())
      return about(Errc::kTimeout, fmt::format("not ended after {} ms; it goes on", timeout.count()));
  }
}

bool Migration::is_held(const JobState& state) const {
  return approve_ != nullptr && state.info.ended == 0 &&
         std::string_view(state.info.progress.phase) == model::to_string(model::Phase::kValidation);
}

Result<> Migration::decide_cutover() {
  const bool refused = approve_(approve_context_) != 0;
  return wish(refused ? wire::JobAction::cancel : wire::JobAction::approve);
}

Result<> Migration::cancel() { return wish(wire::JobAction::cancel); }
Result<> Migration::approve() { return wish(wire::JobAction::approve); }
Result<> Migration::cut_over() { return wish(wire::JobAction::cutover); }
Result<> Migration::checkpoint() { return wish(wire::JobAction::checkpoint); }
Result<> Migration::roll_back() { return wish(wire::JobAction::rollback); }
Result<> Migration::roll_back_to_checkpoint() { return wish(wire::JobAction::rollback_to_checkpoint); }
Result<> Migration::pause() { return wish(wire::JobAction::pause); }
Result<> Migration::resume() { return wish(wire::JobAction::resume); }
Result<> Migration::limit(uint64_t bandwidth_bytes_per_second) {
  return wish(wire::JobAction::limit, bandwidth_bytes_per_second);
}

Result<> Migration::wish(wire::JobAction action, uint64_t bandwidth) {
  const Result<JobState> state = ask(milliseconds(0), action, bandwidth);
  if (!state) return state.error();
  return Done{};
}

Result<Reply> Migration::ask_results(uint32_t first, uint32_t limit) {
  Result<Reply> reply = place_.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = client_.borrow();
    const wire::Id job = protocol::to_wire(job_);
    return lane->ask(at, lane->request(wire::CreateJobResultsRequest(lane->builder(), &job, first, limit)),
                     Repeat::kWhenBroken);
  });
  if (reply && reply->body<wire::JobResultsReply>() == nullptr) return place_.about(reply->to_error(place_.address()));
  return reply;
}

Result<std::vector<godwit_migrate_result>> Migration::results() {
  const Result<JobState> state = test();
  if (!state) return state.error();
  if (state->info.ended == 0) return about(Errc::kBusy, "it has not ended yet");
  std::vector<godwit_migrate_result> all;
  for (;;) {
    const Result<Reply> reply = ask_results(static_cast<uint32_t>(all.size()), kPageResults);
    if (!reply) return reply.error();
    const auto* page = reply->body<wire::JobResultsReply>();
    const size_t before = all.size();
    if (page->results() != nullptr)
      for (const wire::ObjectResult* result : *page->results()) all.push_back(to_c(*result));
    if (all.size() >= page->total()) return all;
    if (all.size() == before) return about(Errc::kProtocol, "the daemon's list of results ends too early");
  }
}

Result<std::string> Migration::report() {
  const Result<Reply> reply = ask_results(0, 0);
  if (!reply) return reply.error();
  return protocol::text_of(reply->body<wire::JobResultsReply>()->report());
}

Result<uint64_t> Migration::planned(const std::function<bool(const godwit_planned_file&)>& each) {
  return planned_files(place_, job_, each);
}

Result<> wait_for_results(Migration& migration, godwit_migrate_result** results, size_t* result_count) {
  const Result<> ended = migration.wait(milliseconds(0));
  if (results == nullptr) return ended;
  // A part that failed is best told object by object, so that the results are given then too.
  if (!ended && ended.error().code != Errc::kPartial) return ended;
  const auto all = migration.results();
  if (!all) return ended ? Result<>(all.error()) : ended;
  const auto copy = copy_for_c(*all);
  if (!copy) return copy.error();
  *results = *copy;
  *result_count = all->size();
  return ended;
}

}  // namespace godwit::client
