#include "client/fileset.hpp"

#include <cstring>

#include "client/lane.hpp"
#include "client/reply.hpp"
#include "model/fileset.hpp"

namespace godwit::client {
namespace {

const char* name_of(uint8_t kind) {
  switch (static_cast<model::FileKind>(kind)) {
    case model::FileKind::kDirectory: return "directory";
    case model::FileKind::kRegular: return "file";
    case model::FileKind::kSymlink: return "symlink";
    case model::FileKind::kHardLink: return "hard link";
  }
  return "unknown";
}

}  // namespace

Result<Id> start_filesets(Client& client, const fabric::Address& source, const FilesetPlan& plan) {
  const Lease lane = client.borrow();
  auto& builder = lane->builder();
  const godwit_fileset_options& options = plan.options;
  std::vector<flatbuffers::Offset<wire::FileRuleEntry>> rules;
  for (size_t i = 0; i < options.rule_count; ++i)
    rules.push_back(wire::CreateFileRuleEntryDirect(builder, options.rules[i].take != 0, options.rules[i].pattern));
  const auto paths = builder.CreateVectorOfStrings(plan.paths);
  const auto destination = builder.CreateString(plan.destination);
  const auto directory = builder.CreateString(plan.directory);
  const auto list = builder.CreateVector(rules);
  const wire::Transfer transfer = protocol::to_wire(plan.transfer);
  const Request request = lane->request(wire::CreateMigrateFilesRequest(
      builder, paths, destination, directory, options.move != 0, &transfer, options.update != 0, options.dry_run != 0,
      options.force != 0, options.xattrs != 0, options.skip_special != 0, list, options.after != nullptr));
  auto job = started_job(lane->ask(source, request, Repeat::kNever), source);
  if (!job) return with_context("starting a migration to " + plan.destination, std::move(job).error());
  return job;
}

Result<uint64_t> planned_files(Place& place, const Id& job, const std::function<bool(const godwit_planned_file&)>& each) {
  for (uint64_t first = 0;;) {
    const Result<Reply> reply = place.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
      const Lease lane = place.client().borrow();
      const wire::Id id = protocol::to_wire(job);
      return lane->ask(at, lane->request(wire::CreateJobFilesRequest(lane->builder(), &id, first, 0)), Repeat::kWhenBroken);
    });
    if (!reply) return reply.error();
    const auto* page = reply->body<wire::JobFilesReply>();
    if (page == nullptr) return place.about(reply->to_error(place.address()));
    if (page->files() == nullptr || page->files()->size() == 0) return page->total();
    for (const wire::JobFile* one : *page->files()) {
      if (one->path() == nullptr) continue;
      const std::string path(reinterpret_cast<const char*>(one->path()->data()), one->path()->size());
      godwit_planned_file file{path.c_str(), {}, one->action() != 0 ? 1 : 0, one->bytes()};
      std::strncpy(file.kind, name_of(one->kind()), sizeof file.kind - 1);
      if (!each(file)) return page->total();
    }
    first += page->files()->size();
  }
}

}  // namespace godwit::client
