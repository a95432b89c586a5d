// godwit.h: collections of documents in a database.
#include <algorithm>
#include <cstdint>
#include <cstring>

#include "client/c_api_values.hpp"
#include "client/c_boundary.hpp"
#include "client/handles.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using godwit::Done;
using godwit::Errc;
using godwit::Error;
using godwit::Result;
using namespace godwit::client;
using Operation = godwit::wire::DatabaseOperation;

namespace {

Result<> check(const godwit_database* database, const char* collection) {
  if (database == nullptr) return is_null("database");
  if (collection == nullptr) return is_null("collection");
  return check_collection_name(collection);
}

Result<BatchBuilder> ids_from(size_t count, const uint64_t* ids) {
  if (count > 0 && ids == nullptr) return is_null("ids");
  BatchBuilder batch;
  for (size_t i = 0; i < count; ++i)
    if (auto added = batch.add_id(ids[i]); !added) return std::move(added).error();
  return batch;
}

Error no_document(const char* collection, uint64_t id) {
  return Error{Errc::kNotFound, "the collection '" + std::string(collection) + "' has no document " + std::to_string(id)};
}

// An operation on the collection alone.
Result<Answer> ask_about(godwit_database* database, Operation operation, const char* collection, Repeat repeat) {
  if (const Result<> valid = check(database, collection); !valid) return valid.error();
  return database->database.ask({.operation = operation, .collection = collection, .repeat = repeat});
}

// The size, and the id that comes next.
Result<std::vector<uint64_t>> stat(godwit_database* database, const char* collection) {
  if (const Result<> valid = check(database, collection); !valid) return valid.error();
  return numbers_of(database->database, {.operation = Operation::collection_stat, .collection = collection}, 2);
}

}  // namespace

// ---------------------------------------------------------------- collections

int godwit_collection_create(godwit_database* database, const char* collection) {
  return at_c_boundary([&]() -> Result<> {
    const auto made = ask_about(database, Operation::collection_create, collection, Repeat::kNever);
    if (!made) return made.error();
    return Done{};
  });
}

int godwit_collection_drop(godwit_database* database, const char* collection) {
  return at_c_boundary([&]() -> Result<> {
    const auto dropped = ask_about(database, Operation::collection_drop, collection, Repeat::kNever);
    if (!dropped) return dropped.error();
    return Done{};
  });
}

int godwit_collection_list(godwit_database* database, godwit_collection_name** names, size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (names == nullptr) return is_null("names");
    if (count == nullptr) return is_null("count");
    std::string from;
    const auto pages = database->database.pages({.operation = Operation::collection_list},
                                                [&from](Question& next, const godwit::protocol::Record& last) {
                                                  from = last.key;
                                                  next.from = from;
                                                });
    if (!pages) return pages.error();
    std::vector<godwit_collection_name> found;
    for (const std::string& page : *pages) {
      const auto records = godwit::protocol::decode_batch(page, godwit::protocol::Keys::kNeeded);
      if (!records) return records.error();
      for (const auto& record : *records) {
        godwit_collection_name name{};
        std::memcpy(name.name, record.key.data(), std::min(record.key.size(), sizeof name.name - 1));
        found.push_back(name);
      }
    }
    const auto copy = copy_for_c(found);
    if (!copy) return copy.error();
    *names = *copy;
    *count = found.size();
    return Done{};
  });
}

int godwit_collection_size(godwit_database* database, const char* collection, uint64_t* size) {
  return at_c_boundary([&]() -> Result<> {
    if (size == nullptr) return is_null("size");
    const auto found = stat(database, collection);
    if (!found) return found.error();
    *size = (*found)[0];
    return Done{};
  });
}

int godwit_collection_last_id(godwit_database* database, const char* collection, uint64_t* id) {
  return at_c_boundary([&]() -> Result<> {
    if (id == nullptr) return is_null("id");
    const auto found = stat(database, collection);
    if (!found) return found.error();
    if ((*found)[1] == 0)
      return Error{Errc::kNotFound, "no document was ever stored in the collection '" + std::string(collection) + "'"};
    *id = (*found)[1] - 1;
    return Done{};
  });
}

// ---------------------------------------------------------------- documents

int godwit_document_store(godwit_database* database, const char* collection, const void* document, uint64_t size,
                          uint64_t* id) {
  return godwit_document_store_multi(database, collection, 1, &document, &size, id);
}

int godwit_document_store_multi(godwit_database* database, const char* collection, size_t count, const void* const* documents,
                                const uint64_t* sizes, uint64_t* first_id) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    if (count > 0 && (documents == nullptr || sizes == nullptr)) return is_null("documents or sizes");
    BatchBuilder batch;
    for (size_t i = 0; i < count; ++i) {
      const auto document = bytes_from(documents[i], sizes[i], "document");
      if (!document) return document.error();
      if (auto added = batch.add_document(*document); !added) return added;
    }
    const Result<Answer> answer = database->database.ask(
        {.operation = Operation::document_store, .batch = batch.batch(), .collection = collection, .repeat = Repeat::kNever});
    if (!answer) return answer.error();
    if (first_id != nullptr) *first_id = answer->number;
    return Done{};
  });
}

int godwit_document_load(godwit_database* database, const char* collection, uint64_t id, void* document, uint64_t* size) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    const auto batch = ids_from(1, &id);
    if (!batch) return batch.error();
    return get_one(database->database,
                   {.operation = Operation::document_load, .batch = batch->batch(), .collection = collection}, document, size,
                   no_document(collection, id));
  });
}

int godwit_document_load_multi(godwit_database* database, const char* collection, size_t count, const uint64_t* ids,
                               void* const* documents, uint64_t* sizes) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    if (count > 0 && (documents == nullptr || sizes == nullptr)) return is_null("documents or sizes");
    const auto batch = ids_from(count, ids);
    if (!batch) return batch.error();
    return get_many(database->database,
                    {.operation = Operation::document_load, .batch = batch->batch(), .collection = collection}, count,
                    documents, sizes);
  });
}

int godwit_document_length(godwit_database* database, const char* collection, uint64_t id, uint64_t* length) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    if (length == nullptr) return is_null("length");
    const auto batch = ids_from(1, &id);
    if (!batch) return batch.error();
    const auto found = numbers_of(
        database->database, {.operation = Operation::document_length, .batch = batch->batch(), .collection = collection}, 1);
    if (!found) return found.error();
    if (found->front() == GODWIT_NO_VALUE) return no_document(collection, id);
    *length = found->front();
    return Done{};
  });
}

int godwit_document_length_multi(godwit_database* database, const char* collection, size_t count, const uint64_t* ids,
                                 uint64_t* lengths) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    if (lengths == nullptr && count > 0) return is_null("lengths");
    const auto batch = ids_from(count, ids);
    if (!batch) return batch.error();
    const auto found =
        numbers_of(database->database,
                   {.operation = Operation::document_length, .batch = batch->batch(), .collection = collection}, count);
    if (!found) return found.error();
    std::copy(found->begin(), found->end(), lengths);
    return Done{};
  });
}

int godwit_document_update(godwit_database* database, const char* collection, uint64_t id, const void* document,
                           uint64_t size) {
  return godwit_document_update_multi(database, collection, 1, &id, &document, &size);
}

int godwit_document_update_multi(godwit_database* database, const char* collection, size_t count, const uint64_t* ids,
                                 const void* const* documents, const uint64_t* sizes) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    if (count > 0 && (ids == nullptr || documents == nullptr || sizes == nullptr)) return is_null("ids, documents or sizes");
    BatchBuilder batch;
    for (size_t i = 0; i < count; ++i) {
      const auto document = bytes_from(documents[i], sizes[i], "document");
      if (!document) return document.error();
      if (auto added = batch.add_document(ids[i], *document); !added) return added;
    }
    const Result<Answer> answer =
        database->database.ask({.operation = Operation::document_update, .batch = batch.batch(), .collection = collection});
    if (!answer) return answer.error();
    return Done{};
  });
}

int godwit_document_erase(godwit_database* database, const char* collection, uint64_t id) {
  return godwit_document_erase_multi(database, collection, 1, &id);
}

int godwit_document_erase_multi(godwit_database* database, const char* collection, size_t count, const uint64_t* ids) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    const auto batch = ids_from(count, ids);
    if (!batch) return batch.error();
    const Result<Answer> answer =
        database->database.ask({.operation = Operation::document_erase, .batch = batch->batch(), .collection = collection});
    if (!answer) return answer.error();
    return Done{};
  });
}

int godwit_document_list(godwit_database* database, const char* collection, uint64_t first_id, uint64_t max,
                         godwit_document** list, size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check(database, collection); !valid) return valid;
    if (list == nullptr) return is_null("list");
    if (count == nullptr) return is_null("count");
    const auto id_of = [](const godwit::protocol::Record& record) {
      uint64_t id = 0;
      std::memcpy(&id, record.key.data(), std::min(record.key.size(), sizeof id));
      return id;
    };
    const auto pages = database->database.pages(
        {.operation = Operation::document_list, .limit = max, .collection = collection, .first = first_id},
        [&](Question& next, const godwit::protocol::Record& last) { next.first = id_of(last) + 1; });
    if (!pages) return pages.error();
    const auto made =
        list_for_c<godwit_document>(*pages, count, [&](godwit_document& element, const godwit::protocol::Record& record) {
          element = {id_of(record), record.value.data(), record.value.size()};
        });
    if (!made) return made.error();
    *list = *made;
    return Done{};
  });
}
