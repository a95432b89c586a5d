#include "client/database.hpp"

#include <fmt/format.h>

#include <optional>

#include "client/to_c.hpp"
#include "client/window.hpp"

namespace godwit::client {
namespace {

constexpr uint32_t kPageDatabases = 1'000;
// An answer that has grown since it was measured is asked for again, but not for ever.
constexpr int kTriesMax = 8;

const uint8_t* wire_bytes(std::string_view bytes) { return reinterpret_cast<const uint8_t*>(bytes.data()); }

// Errors: kProtocol, the daemon does not say which database it means.
Result<Id> id_in(const Reply& reply, const fabric::Address& address) {
  const wire::DatabaseEntry* entry = reply.body<wire::DatabaseReply>()->database();
  if (entry != nullptr && entry->id() != nullptr) return protocol::from_wire(entry->id());
  return Error{Errc::kProtocol, to_string(address) + ": the daemon does not say which database it means"};
}

}  // namespace

// ---------------------------------------------------------------- batches

Result<> BatchBuilder::room_for(uint64_t bytes) const {
  if (records_ >= protocol::kBatchRecordsMax || bytes > protocol::kBatchBytesMax - batch_.size())
    return Error{Errc::kLimit, fmt::format("the batch is longer than {} bytes, or has more than {} records: make several of it",
                                           protocol::kBatchBytesMax, protocol::kBatchRecordsMax)};
  return Done{};
}

Result<> BatchBuilder::add_record(std::string_view key, std::string_view value) {
  if (key.size() > protocol::kKeyBytesMax)
    return Error{Errc::kLimit, fmt::format("a key has {} bytes; {} are allowed", key.size(), protocol::kKeyBytesMax)};
  if (value.size() > protocol::kValueBytesMax)
    return Error{Errc::kLimit, fmt::format("a value has {} bytes; {} are allowed", value.size(), protocol::kValueBytesMax)};
  if (auto room = room_for(protocol::record_bytes(key, value)); !room) return room;
  protocol::append_record(batch_, key, value);
  ++records_;
  return Done{};
}

Result<> BatchBuilder::add_key(std::string_view key) { return add(key, {}); }

Result<> BatchBuilder::add(std::string_view key, std::string_view value) {
  if (key.empty()) return Error{Errc::kInvalid, "a key is empty"};
  return add_record(key, value);
}

Result<> BatchBuilder::add_document(std::string_view document) { return add_record({}, document); }

Result<> BatchBuilder::add_document(uint64_t id, std::string_view document) {
  std::string key;
  protocol::append_number(key, id);
  return add_record(key, document);
}

Result<> BatchBuilder::add_id(uint64_t id) {
  if (auto room = room_for(sizeof id); !room) return room;
  protocol::append_number(batch_, id);
  ++records_;
  return Done{};
}

// ---------------------------------------------------------------- databases as a whole

Result<Database> Database::create(Client& client, const fabric::Address& address, const std::string& name,
                                  const std::string& backend, const std::string& options) {
  const Lease lane = client.borrow();
  const Request request =
      lane->request(wire::CreateDatabaseCreateRequestDirect(lane->builder(), name.c_str(), backend.c_str(), options.c_str()));
  const Result<Reply> reply = expect<wire::DatabaseReply>(lane->ask(address, request, Repeat::kNever), address);
  if (!reply) return with_context("creating database '" + name + "'", reply.error());
  const Result<Id> id = id_in(*reply, address);
  if (!id) return id.error();
  return Database(client, *id, address);
}

Result<Database> Database::find(Client& client, const fabric::Address& address, const Id& id, const std::string& name) {
  if (!id.is_zero()) {
    Database database(client, id, address);
    if (const auto info = database.stat(); !info) return info.error();
    return database;
  }
  // A name means something on this node only: what is followed is the id that it stands for.
  Id moved_id;
  {
    const Lease lane = client.borrow();
    const Request request = lane->request(wire::CreateDatabaseStatRequestDirect(lane->builder(), nullptr, name.c_str()));
    Result<Reply> asked = lane->ask(address, request, Repeat::kWhenBroken);
    if (asked && asked->refusal() != nullptr && client.settings().follow)
      moved_id = protocol::from_wire(asked->refusal()->moved_id());
    if (moved_id.is_zero()) {
      const Result<Reply> reply = expect<wire::DatabaseReply>(std::move(asked), address);
      if (!reply) return with_context("database '" + name + "'", reply.error());
      const Result<Id> found = id_in(*reply, address);
      if (!found) return found.error();
      return Database(client, *found, address);
    }
  }
  return find(client, address, moved_id, {});
}

Result<std::vector<godwit_database_info>> Database::list(Client& client, const fabric::Address& address) {
  const Lease lane = client.borrow();
  std::vector<godwit_database_info> infos;
  Id after;
  for (;;) {
    const wire::Id position = protocol::to_wire(after);
    const Request request = lane->request(wire::CreateDatabaseListRequest(lane->builder(), &position, kPageDatabases));
    const Result<Reply> reply = expect<wire::DatabaseListReply>(lane->ask(address, request, Repeat::kWhenBroken), address);
    if (!reply) return reply.error();
    const auto* page = reply->body<wire::DatabaseListReply>();
    if (page->databases() != nullptr)
      for (const wire::DatabaseEntry* entry : *page->databases()) infos.push_back(to_c(*entry));
    if (!page->more()) return infos;
    // A page that does not advance would be asked for without end.
    const Id last = infos.empty() ? Id{} : from_c(infos.back().id);
    if (last <= after) return Error{Errc::kProtocol, to_string(address) + ": the daemon's list of databases is out of order"};
    after = last;
  }
}

Result<godwit_database_info> Database::stat() {
  const Result<Reply> reply = place_.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = place_.client().borrow();
    const wire::Id id = protocol::to_wire(id_);
    return lane->ask(at, lane->request(wire::CreateDatabaseStatRequest(lane->builder(), &id)), Repeat::kWhenBroken);
  });
  if (!reply) return reply.error();
  const auto* answer = reply->body<wire::DatabaseReply>();
  if (answer == nullptr || answer->database() == nullptr) return place_.about(reply->to_error(place_.address()));
  return to_c(*answer->database());
}

Result<> Database::destroy() {
  return place_.reach_done(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = place_.client().borrow();
    const wire::Id id = protocol::to_wire(id_);
    return lane->ask(at, lane->request(wire::CreateDatabaseDestroyRequest(lane->builder(), &id)), Repeat::kNever);
  });
}

Result<Id> Database::start_migration(const std::string& destination, const godwit_database_migrate_options& options,
                                     const model::Transfer& transfer, fabric::Address& source) {
  const Result<Reply> reply = place_.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
    source = at;
    const Lease lane = place_.client().borrow();
    const wire::Id id = protocol::to_wire(id_);
    const wire::Transfer how = protocol::to_wire(transfer);
    return lane->ask(at,
                     lane->request(wire::CreateMigrateDatabaseRequestDirect(lane->builder(), &id, destination.c_str(),
                                                                            options.new_root, options.extra_config, &how)),
                     Repeat::kNever);
  });
  if (!reply) return reply.error();
  auto job = started_job(reply, source);
  if (!job) return place_.about(std::move(job).error());
  return job;
}

// ---------------------------------------------------------------- their contents

Result<Answer> Database::ask(const Question& question, uint64_t result_bytes_most) {
  return ask_with_window(question, 0, result_bytes_most);
}

Result<Answer> Database::ask_with_window(const Question& question, uint64_t window_bytes, uint64_t result_bytes_most) {
  for (int tries = 0; tries < kTriesMax; ++tries) {
    Result<Answer> answer = ask_once(question, window_bytes);
    if (!answer || answer->result.size() == answer->result_bytes || answer->result_bytes > result_bytes_most) return answer;
    window_bytes = answer->result_bytes;
    if (window_bytes > protocol::kBatchBytesMax)
      return place_.about(Error{Errc::kProtocol, "the daemon's answer is longer than it may be"});
  }
  return place_.about(Error{Errc::kBusy, "the values grow faster than they can be read"});
}

Result<Answer> Database::ask_once(const Question& question, uint64_t window_bytes) {
  Client& client = place_.client();
  const uint64_t inline_bytes = client.settings().inline_bytes;
  const bool batch_is_small = question.batch.size() <= inline_bytes;
  const auto purpose = batch_is_small && window_bytes == 0 ? fabric::Purpose::kControl : fabric::Purpose::kStream;
  std::string in_window;
  Result<Reply> reply = place_.reach(WhenBusy::kWait, [&](const fabric::Address& at) -> Result<Reply> {
    std::optional<Window> batch_window, result_window;  // Closed after the lane's stream has answered.
    if (purpose == fabric::Purpose::kStream) {
      const auto domain = client.domain(at.provider);
      if (!domain) return domain.error();
      if (!batch_is_small) {
        Result<Window> window = Window::to_be_read(**domain, std::as_bytes(std::span(question.batch)));
        if (!window) return window.error();
        batch_window.emplace(*std::move(window));
      }
      if (window_bytes != 0) {
        in_window.resize(window_bytes);
        Result<Window> window = Window::to_be_written(**domain, std::as_writable_bytes(std::span(in_window)));
        if (!window) return window.error();
        result_window.emplace(*std::move(window));
      }
    }
    const Lease lane = client.borrow();
    auto& builder = lane->builder();
    const auto vector_of = [&](std::string_view bytes) {
      return bytes.empty() ? flatbuffers::Offset<flatbuffers::Vector<uint8_t>>()
                           : builder.CreateVector(wire_bytes(bytes), bytes.size());
    };
    const wire::Id id = protocol::to_wire(id_);
    const wire::Window from = batch_window ? batch_window->on_wire() : wire::Window();
    const wire::Window to = result_window ? result_window->on_wire() : wire::Window();
    const auto batch = batch_is_small ? vector_of(question.batch) : flatbuffers::Offset<flatbuffers::Vector<uint8_t>>();
    const auto prefix = vector_of(question.prefix);
    const auto start = vector_of(question.from);
    const auto collection = question.collection.empty() ? flatbuffers::Offset<flatbuffers::String>()
                                                        : builder.CreateString(std::string(question.collection));
    const auto body = wire::CreateDatabaseWorkRequest(builder, &id, question.operation, batch, batch_window ? &from : nullptr,
                                                      inline_bytes, result_window ? &to : nullptr, prefix, start,
                                                      question.limit, collection, question.first);
    Result<Reply> answer = lane->ask(at, purpose, lane->request(body), question.repeat,
                                     transfer_deadline(client, question.batch.size() + window_bytes));
    if (result_window && answer && answer->refusal() == nullptr) result_window->land();
    return answer;
  });
  if (!reply) return reply.error();
  const auto* work = reply->body<wire::DatabaseWorkReply>();
  if (work == nullptr) return place_.about(reply->to_error(place_.address()));
  Answer answer;
  answer.result_bytes = work->result_bytes();
  answer.number = work->number();
  answer.more = work->more();
  if (work->in_window()) {
    if (answer.result_bytes > in_window.size())
      return place_.about(Error{Errc::kProtocol, "the daemon says that it wrote more than there was room for"});
    in_window.resize(answer.result_bytes);
    answer.result = std::move(in_window);
  } else if (work->result() != nullptr) {
    answer.result.assign(reinterpret_cast<const char*>(work->result()->data()), work->result()->size());
  }
  return answer;
}

}  // namespace godwit::client
