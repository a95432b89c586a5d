// Requests about databases.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "daemon/requests.hpp"
#include "protocol/batch.hpp"

namespace godwit::daemon {
namespace {

constexpr milliseconds kDestroyTimeout{10'000};

}  // namespace

Result<objects::DatabasePtr> Requests::find_database(const wire::Id* id) {
  if (id == nullptr) return Error{Errc::kProtocol, "the request names no database"};
  return objects::found_or_moved(node_.databases->find(protocol::from_wire(*id)), to_string(protocol::from_wire(*id)), moved_);
}

Requests::Reply Requests::database_reply(uint64_t request, objects::Database& database) {
  auto& builder = encoder_.builder();
  return encoder_.finish(
      request, wire::CreateDatabaseReply(
                   builder, objects::database_entry(builder, database, address_, node_.permissions->of(database.identity.id))));
}

Requests::Reply Requests::create_database(uint64_t request, const wire::DatabaseCreateRequest& create) {
  auto kind = objects::parse_backend(protocol::text_of(create.backend()));
  if (!kind) return std::move(kind).error();
  auto database = node_.databases->create(protocol::text_of(create.name()), *kind, protocol::text_of(create.options()));
  if (!database) return std::move(database).error();
  const objects::DatabaseIdentity& identity = (*database)->identity;
  auto owned = node_.permissions->set(identity.id, node_.permissions->of_new(caller_), objects::is_lasting(identity.kind));
  if (!owned) {
    (void)node_.databases->erase(*database,
                                 Deadline::after(kDestroyTimeout));  // Left to the administrators if that fails, too.
    return std::move(owned).error();
  }
  return database_reply(request, **database);
}

Requests::Reply Requests::stat_database(uint64_t request, const wire::DatabaseStatRequest& stat) {
  const Id id = protocol::from_wire(stat.id());
  const std::string name = protocol::text_of(stat.name());
  auto found = id.is_zero() ? objects::found_or_moved(node_.databases->find(name), "'" + log::printable(name) + "'", moved_)
                            : find_database(stat.id());
  if (!found) return std::move(found).error();
  if ((*found)->state() == objects::GateState::kIncoming)
    return Error{Errc::kBusy, fmt::format("{} is on its way to this node; try again", (*found)->describe())};
  return database_reply(request, **found);
}

Requests::Reply Requests::list_databases(uint64_t request, const wire::DatabaseListRequest& list) {
  constexpr uint32_t kPageMax = 1'000;
  const uint32_t limit = std::min(list.limit() == 0 ? kPageMax : list.limit(), kPageMax);
  const auto [found, more] = readable_page<objects::DatabasePtr>(
      protocol::from_wire(list.after()), limit,
      [&](const Id& after, uint32_t count) { return node_.databases->list(after, count); },
      [](const objects::DatabasePtr& database) { return database->identity.id; });
  auto& builder = encoder_.builder();
  std::vector<flatbuffers::Offset<wire::DatabaseEntry>> entries;
  for (const auto& database : found)
    entries.push_back(objects::database_entry(builder, *database, address_, node_.permissions->of(database->identity.id)));
  return encoder_.finish(request, wire::CreateDatabaseListReplyDirect(builder, &entries, more));
}

Requests::Reply Requests::destroy_database(uint64_t request, const wire::DatabaseDestroyRequest& destroy) {
  auto database = find_database(destroy.id());
  if (!database) return std::move(database).error();
  if (auto erased = node_.databases->erase(*database, Deadline::after(kDestroyTimeout)); !erased)
    return std::move(erased).error();
  node_.permissions->forget((*database)->identity.id);
  return done(request);
}

Requests::Reply Requests::work(uint64_t request, const wire::DatabaseWorkRequest& work) {
  if (work.batch_window() != nullptr || work.result_window() != nullptr)
    return Error{Errc::kProtocol, "the request has a window outside of a stream"};
  const std::string_view batch =
      work.batch() == nullptr ? std::string_view()
                              : std::string_view(reinterpret_cast<const char*>(work.batch()->data()), work.batch()->size());
  if (batch.size() > protocol::kInlineBatchBytesMax)
    return Error{Errc::kLimit, fmt::format("a batch of {} bytes in one message; {} are allowed: send it by RMA", batch.size(),
                                           protocol::kInlineBatchBytesMax)};
  auto database = find_database(work.id());
  if (!database) return std::move(database).error();
  auto answer = objects::work_on(**database, work, batch, std::min(work.result_bytes_max(), protocol::kInlineResultBytesMax));
  if (!answer) return std::move(answer).error();
  return objects::database_answer(encoder_, request, *answer, false);
}

}  // namespace godwit::daemon
