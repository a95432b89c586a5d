// Documents: collections of values with ids from 0 upwards, in the reserved part of a database's key space.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "objects/database/backend.hpp"
#include "objects/database/results.hpp"
#include "protocol/batch.hpp"

namespace godwit::objects {

struct CollectionInfo {
  uint64_t size = 0;  // Documents in it.
  uint64_t next = 0;  // The id that the next one gets; ids are never used again.
};

// Thread-safe; one change at a time. Errors of every call: those of Backend; kInvalid, the collection's name; kNotFound, no
// such collection.
class Documents {
 public:
  // The backend must outlive it.
  explicit Documents(Backend& backend) : backend_(backend) {}
  // When the database is opened: ends drops that were cut short.
  Result<> recover();

  // Errors: kExists.
  Result<> create(const std::string& collection);
  // It is gone at once, and its documents' space when this returns.
  Result<> drop(const std::string& collection);
  // Records of the collections' names, in their order, after `from`. True: there are more.
  Result<bool> names(std::string_view from, uint64_t limit, Results& results);
  Result<CollectionInfo> stat(const std::string& collection);

  // Stores all documents or none, with ids in a row; returns the first.
  Result<uint64_t> store(const std::string& collection, std::span<const protocol::Record> documents);
  // A record for each id: the document, or that it is absent.
  Result<> load(const std::string& collection, std::span<const uint64_t> ids, Results& results);
  Result<> lengths(const std::string& collection, std::span<const uint64_t> ids, Results& results);
  // All or none. Errors: kNotFound, one of the documents is not there.
  Result<> update(const std::string& collection, std::span<const uint64_t> ids, std::span<const protocol::Record> documents);
  // One that is not there is no error.
  Result<> erase(const std::string& collection, std::span<const uint64_t> ids);
  // Records of documents from id `first` on: the key is the id (u64). True: there are more.
  Result<bool> list(const std::string& collection, uint64_t first, uint64_t limit, Results& results);

 private:
  struct Meta {
    uint64_t number = 0;  // Its own for ever: a dropped collection's documents never show in another.
    CollectionInfo info;
  };
  Result<Meta> find(const std::string& collection);
  Result<> erase_all(uint64_t number);

  Backend& backend_;
  std::mutex mutex_;  // Held while something changes.
};

}  // namespace godwit::objects
