// Database: a client's handle to a database, which knows where it was last and follows it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "client/client.hpp"
#include "client/lane.hpp"
#include "client/place.hpp"
#include "fabric/address.hpp"
#include "godwit/godwit.h"
#include "protocol/batch.hpp"
#include "protocol/codec.hpp"

namespace godwit::client {

// One operation on a database's contents. The views are valid during the call.
struct Question {
  wire::DatabaseOperation operation;
  std::string_view batch = {};
  std::string_view prefix = {};
  std::string_view from = {};
  uint64_t limit = 0;
  std::string_view collection = {};
  uint64_t first = 0;
  Repeat repeat = Repeat::kWhenBroken;
};

struct Answer {
  std::string result;         // Empty if it was longer than asked for.
  uint64_t result_bytes = 0;  // What it has, or would have.
  uint64_t number = 0;
  bool more = false;
};

// Builds a batch for a Question. Errors: kInvalid, an empty key; kLimit, a key, a value or the batch is too long.
class BatchBuilder {
 public:
  Result<> add_key(std::string_view key);
  Result<> add(std::string_view key, std::string_view value);
  Result<> add_document(std::string_view document);
  Result<> add_document(uint64_t id, std::string_view document);
  Result<> add_id(uint64_t id);
  const std::string& batch() const { return batch_; }

 private:
  Result<> add_record(std::string_view key, std::string_view value);
  Result<> room_for(uint64_t bytes) const;

  std::string batch_;
  uint64_t records_ = 0;
};

// Thread-safe. The client must outlive it. Every method blocks, and can also fail as Lane::ask; errors name the database.
class Database {
 public:
  Database(Client& client, const Id& id, fabric::Address address)
      : id_(id), place_(client, std::move(address), "database " + to_string(id)) {}
  // For find() and create() only: nobody else holds `other`.
  Database(Database&& other) : Database(other.place_.client(), other.id_, other.place_.address()) {}

  // Errors: kInvalid, kExists, kUnsupported, kNoSpace, kIo. Asked for once: after kPeerLost nobody knows whether it exists.
  static Result<Database> create(Client& client, const fabric::Address& address, const std::string& name,
                                 const std::string& backend, const std::string& options);
  // Where the database with this id, or this name, is. Follows it if the client does. Errors: kNotFound, kMoved.
  static Result<Database> find(Client& client, const fabric::Address& address, const Id& id, const std::string& name);
  // All of a node, in the order of ids.
  static Result<std::vector<godwit_database_info>> list(Client& client, const fabric::Address& address);

  const Id& id() const { return id_; }
  Result<godwit_database_info> stat();
  // Errors: kBusy, kUnsupported, it is the configuration's.
  Result<> destroy();
  Result<> change_mode(uint32_t mode) { return place_.change_mode(id_, mode); }

  // Starts a job that moves it; where its source is, is put into `source`. Asked for once. Errors: kInvalid, kBusy, kCorrupt.
  Result<Id> start_migration(const std::string& destination, const godwit_database_migrate_options& options,
                             const model::Transfer& transfer, fabric::Address& source);
  Client& client() const { return place_.client(); }

  // The answer, of at most `result_bytes_most`; a longer one is only measured.
  Result<Answer> ask(const Question& question, uint64_t result_bytes_most = protocol::kBatchBytesMax);
  // Asks for every page of a listing, up to question.limit records (0: all); `next` makes the question go on after a page's
  // last record. Returns the pages' bytes.
  template <class Next>  // void(Question&, const protocol::Record& last)
  Result<std::vector<std::string>> pages(Question question, Next next);

 private:
  Result<Answer> ask_once(const Question& question, uint64_t window_bytes);
  Result<Answer> ask_with_window(const Question& question, uint64_t window_bytes, uint64_t result_bytes_most);

  static constexpr uint64_t kPageBytes = 4_MiB;

  const Id id_;
  Place place_;
};

template <class Next>
Result<std::vector<std::string>> Database::pages(Question question, Next next) {
  std::vector<std::string> pages;
  for (uint64_t window_bytes = 0;; window_bytes = kPageBytes) {  // The first page is small: it may be all.
    Result<Answer> page = ask_with_window(question, window_bytes, protocol::kBatchBytesMax);
    if (!page) return std::move(page).error();
    const auto records = protocol::decode_batch(page->result, protocol::Keys::kNeeded);
    if (!records) return place_.about(records.error());
    const bool is_done = !page->more || (question.limit != 0 && records->size() >= question.limit);
    if (!is_done && records->empty()) return place_.about(Error{Errc::kProtocol, "the daemon's listing does not go on"});
    if (!is_done) {
      if (question.limit != 0) question.limit -= records->size();
      next(question, records->back());
    }
    pages.push_back(std::move(page->result));
    if (is_done) return pages;
  }
}

}  // namespace godwit::client
