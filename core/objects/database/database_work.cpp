#include "objects/database/database_work.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace godwit::objects {
namespace {

using Operation = wire::DatabaseOperation;
using protocol::Keys;

std::string_view bytes_of(const flatbuffers::Vector<uint8_t>* bytes) {
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes->data()), bytes->size()};
}

// The operation, with all that it needs at hand.
class Work {
 public:
  Work(Database::Contents contents, const wire::DatabaseWorkRequest& request, std::string_view batch, uint64_t room_bytes)
      : pairs_(contents.pairs),
        documents_(contents.documents),
        backend_(contents.backend),
        request_(request),
        batch_(batch),
        collection_(protocol::text_of(request.collection())),
        results_(std::min(room_bytes, protocol::kBatchBytesMax)) {}

  Result<DatabaseAnswer> run() {
    if (auto done = dispatch(); !done) return std::move(done).error();
    answer_.result_bytes = results_.needed_bytes();
    if (answer_.result_bytes > protocol::kBatchBytesMax)
      return Error{Errc::kLimit, fmt::format("the answer has {} bytes; {} are allowed: ask for less at once",
                                             answer_.result_bytes, protocol::kBatchBytesMax)};
    answer_.result = results_.take();
    return std::move(answer_);
  }

 private:
  Result<> dispatch() {
    switch (request_.operation()) {
      case Operation::put: return with_records(Keys::kNeeded, [&](auto records) { return pairs_.put(records); });
      case Operation::get: return with_records(Keys::kNeeded, [&](auto records) { return pairs_.get(records, results_); });
      case Operation::length:
        return with_records(Keys::kNeeded, [&](auto records) { return pairs_.lengths(records, results_); });
      case Operation::erase: return with_records(Keys::kNeeded, [&](auto records) { return pairs_.erase(records); });
      case Operation::list_keys: return more(pairs_.list(listing(Show::kKeys), results_));
      case Operation::list_key_values: return more(pairs_.list(listing(Show::kKeysAndValues), results_));
      case Operation::count: return number(pairs_.count(bytes_of(request_.prefix())));
      case Operation::persist: return backend_.persist();
      case Operation::collection_create: return documents_.create(collection_);
      case Operation::collection_drop: return documents_.drop(collection_);
      case Operation::collection_list: return more(documents_.names(bytes_of(request_.from()), request_.limit(), results_));
      case Operation::collection_stat: return stat();
      case Operation::document_store:
        return with_records(Keys::kMayBeEmpty, [&](auto records) { return number(documents_.store(collection_, records)); });
      case Operation::document_load: return with_ids([&](auto ids) { return documents_.load(collection_, ids, results_); });
      case Operation::document_length:
        return with_ids([&](auto ids) { return documents_.lengths(collection_, ids, results_); });
      case Operation::document_update: return with_records(Keys::kNeeded, [&](auto records) { return update(records); });
      case Operation::document_erase: return with_ids([&](auto ids) { return documents_.erase(collection_, ids); });
      case Operation::document_list: return more(documents_.list(collection_, request_.first(), request_.limit(), results_));
    }
    return Error{Errc::kProtocol, fmt::format("operation {} on a database is unknown", static_cast<int>(request_.operation()))};
  }

  template <class Use>
  Result<> with_records(Keys keys, Use use) {
    auto records = protocol::decode_batch(batch_, keys);
    if (!records) return std::move(records).error();
    return use(std::span<const protocol::Record>(*records));
  }
  template <class Use>
  Result<> with_ids(Use use) {
    auto ids = protocol::decode_numbers(batch_);
    if (!ids) return std::move(ids).error();
    return use(std::span<const uint64_t>(*ids));
  }

  Listing listing(Show show) const { return {show, bytes_of(request_.prefix()), bytes_of(request_.from()), request_.limit()}; }
  Result<> more(Result<bool> listed) {
    if (!listed) return std::move(listed).error();
    answer_.more = *listed;
    return Done{};
  }
  Result<> number(Result<uint64_t> counted) {
    if (!counted) return std::move(counted).error();
    answer_.number = *counted;
    return Done{};
  }
  Result<> stat() {
    auto info = documents_.stat(collection_);
    if (!info) return std::move(info).error();
    results_.add_number(info->size);
    results_.add_number(info->next);
    return Done{};
  }
  // The keys are ids.
  Result<> update(std::span<const protocol::Record> records) {
    std::vector<uint64_t> ids;
    for (const protocol::Record& record : records) {
      auto id = protocol::decode_numbers(record.key);
      if (!id || id->size() != 1) return Error{Errc::kProtocol, "the id of a document is no number"};
      ids.push_back(id->front());
    }
    return documents_.update(collection_, ids, records);
  }

  Pairs& pairs_;
  Documents& documents_;
  Backend& backend_;
  const wire::DatabaseWorkRequest& request_;
  const std::string_view batch_;
  const std::string collection_;
  Results results_;
  DatabaseAnswer answer_;
};

}  // namespace

bool is_change(Operation operation) {
  switch (operation) {
    case Operation::put:
    case Operation::erase:
    case Operation::collection_create:
    case Operation::collection_drop:
    case Operation::document_store:
    case Operation::document_update:
    case Operation::document_erase: return true;
    case Operation::get:
    case Operation::length:
    case Operation::list_keys:
    case Operation::list_key_values:
    case Operation::count:
    case Operation::persist:
    case Operation::collection_list:
    case Operation::collection_stat:
    case Operation::document_load:
    case Operation::document_length:
    case Operation::document_list: return false;
  }
  return false;
}

bool is_long(Operation operation) { return operation == Operation::count || operation == Operation::collection_drop; }

Result<DatabaseAnswer> work_on(Database& database, const wire::DatabaseWorkRequest& request, std::string_view batch,
                               uint64_t room_bytes) {
  auto access = database.enter(is_change(request.operation()) ? Use::kWrite : Use::kRead);
  if (!access) return std::move(access).error();
  auto contents = database.contents();
  if (!contents) return std::move(contents).error();
  auto answer = Work(*contents, request, batch, room_bytes).run();
  if (!answer) return with_context(database.describe(), std::move(answer).error());
  return answer;
}

std::span<const std::byte> database_answer(protocol::Encoder& encoder, uint64_t request, const DatabaseAnswer& answer,
                                           bool in_window) {
  auto& builder = encoder.builder();
  flatbuffers::Offset<flatbuffers::Vector<uint8_t>> result;
  if (!in_window) result = builder.CreateVector(reinterpret_cast<const uint8_t*>(answer.result.data()), answer.result.size());
  return encoder.finish(
      request, wire::CreateDatabaseWorkReply(builder, result, answer.result_bytes, in_window, answer.number, answer.more));
}

flatbuffers::Offset<wire::DatabaseEntry> database_entry(flatbuffers::FlatBufferBuilder& builder, Database& database,
                                                        const std::string& address, const Permission& permission) {
  const DatabaseIdentity& identity = database.identity;
  uint64_t bytes = 0;
  if (auto access = database.enter(Use::kRead); access)
    if (auto contents = database.contents(); contents) bytes = contents->backend.bytes();
  const wire::Id id = protocol::to_wire(identity.id);
  const auto name = builder.CreateString(identity.name);
  const auto backend = builder.CreateString(std::string(to_string(identity.kind)));
  const auto path = builder.CreateString(database.directory);
  const auto options = builder.CreateString(identity.options);
  const wire::Permission owned(permission.uid, permission.gid, permission.mode);
  return wire::CreateDatabaseEntry(builder, &id, identity.epoch, name, backend, path, options, bytes,
                                   builder.CreateString(address), &owned);
}

Result<> check_database(const Permissions& permissions, const Caller& caller, const Id& id, Want want) {
  return caller.may_all ? Result<>(Done{}) : permissions.check(caller, id, want, "database " + to_string(id));
}

Result<> check_work(const Permissions& permissions, const Caller& caller, const wire::DatabaseWorkRequest& work) {
  return check_database(permissions, caller, protocol::from_wire(work.id()),
                        is_change(work.operation()) ? Want::kWrite : Want::kRead);
}

}  // namespace godwit::objects
