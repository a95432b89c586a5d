// godwit.h: databases, their keys and values.
#include <algorithm>
#include <cstdint>

#include "client/c_api_values.hpp"
#include "client/c_boundary.hpp"
#include "client/handles.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using godwit::Done;
using godwit::Errc;
using godwit::Error;
using godwit::Id;
using godwit::Result;
using namespace godwit::client;
using Operation = godwit::wire::DatabaseOperation;

namespace {

// The keys of a caller as a batch. Errors: kInvalid, kLimit.
Result<BatchBuilder> keys_from(size_t count, const void* const* keys, const size_t* key_sizes) {
  if (count > 0 && (keys == nullptr || key_sizes == nullptr)) return is_null("keys or key_sizes");
  BatchBuilder batch;
  for (size_t i = 0; i < count; ++i) {
    const auto key = bytes_from(keys, key_sizes, i, "key");
    if (!key) return key.error();
    if (auto added = batch.add_key(*key); !added) return std::move(added).error();
  }
  return batch;
}

Result<BatchBuilder> key_from(const void* key, size_t key_size) { return keys_from(1, &key, &key_size); }

Error no_key() { return Error{Errc::kNotFound, "no such key"}; }

Result<> ask_for_nothing(Database& database, const Question& question) {
  const Result<Answer> answer = database.ask(question);
  if (!answer) return answer.error();
  return Done{};
}

Result<> list(godwit_database* database, Operation operation, const void* prefix, size_t prefix_size, const void* from_key,
              size_t from_size, uint64_t max, godwit_key_value** list, size_t* count) {
  if (database == nullptr) return is_null("database");
  if (list == nullptr) return is_null("list");
  if (count == nullptr) return is_null("count");
  const auto prefix_bytes = bytes_from(prefix, prefix_size, "prefix");
  if (!prefix_bytes) return prefix_bytes.error();
  const auto from_bytes = bytes_from(from_key, from_size, "from_key");
  if (!from_bytes) return from_bytes.error();
  std::string from(*from_bytes);
  const Question question{.operation = operation, .prefix = *prefix_bytes, .from = from, .limit = max};
  const auto pages = database->database.pages(question, [&from](Question& next, const godwit::protocol::Record& last) {
    from = last.key;
    next.from = from;
  });
  if (!pages) return pages.error();
  const bool with_values = operation == Operation::list_key_values;
  const auto made =
      list_for_c<godwit_key_value>(*pages, count, [&](godwit_key_value& element, const godwit::protocol::Record& record) {
        element = {record.key.data(), record.key.size(), with_values ? record.value.data() : nullptr, record.value.size()};
      });
  if (!made) return made.error();
  *list = *made;
  return Done{};
}

}  // namespace

// ---------------------------------------------------------------- databases as a whole

int godwit_database_create(godwit_client* client, const char* address, const char* name, const char* backend,
                           const char* options_json, godwit_database** database) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (name == nullptr) return is_null("name");
    if (backend == nullptr) return is_null("backend");
    if (database == nullptr) return is_null("database");
    const auto where = address_from(address);
    if (!where) return where.error();
    if (const Result<> valid = check_database_name(name); !valid) return valid.error();
    Result<Database> created = Database::create(client->client, *where, name, backend, options_json ? options_json : "");
    if (!created) return created.error();
    *database = new godwit_database{*std::move(created)};
    return Done{};
  });
}

int godwit_database_open(godwit_client* client, const char* address, const char* id_or_name, godwit_database** database) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (id_or_name == nullptr) return is_null("id_or_name");
    if (database == nullptr) return is_null("database");
    const auto where = address_from(address);
    if (!where) return where.error();
    const std::optional<Id> id = godwit::parse_id(id_or_name);
    if (!id)
      if (const Result<> valid = check_database_name(id_or_name); !valid) return valid.error();
    Result<Database> found = Database::find(client->client, *where, id.value_or(Id{}), id_or_name);
    if (!found) return found.error();
    *database = new godwit_database{*std::move(found)};
    return Done{};
  });
}

void godwit_database_close(godwit_database* database) { delete database; }

int godwit_database_stat(godwit_database* database, godwit_database_info* info) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (info == nullptr) return is_null("info");
    const auto found = database->database.stat();
    if (!found) return found.error();
    *info = *found;
    return Done{};
  });
}

int godwit_database_list(godwit_client* client, const char* address, godwit_database_info** infos, size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (infos == nullptr) return is_null("infos");
    if (count == nullptr) return is_null("count");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto databases = Database::list(client->client, *where);
    if (!databases) return databases.error();
    const auto copy = copy_for_c(*databases);
    if (!copy) return copy.error();
    *infos = *copy;
    *count = databases->size();
    return Done{};
  });
}

int godwit_database_destroy(godwit_database* database) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    return database->database.destroy();
  });
}

int godwit_database_chmod(godwit_database* database, uint32_t mode) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    return database->database.change_mode(mode);
  });
}

// ---------------------------------------------------------------- one key

int godwit_database_put(godwit_database* database, const void* key, size_t key_size, const void* value, uint64_t value_size) {
  return godwit_database_put_multi(database, 1, &key, &key_size, &value, &value_size);
}

int godwit_database_get(godwit_database* database, const void* key, size_t key_size, void* value, uint64_t* value_size) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    const auto batch = key_from(key, key_size);
    if (!batch) return batch.error();
    return get_one(database->database, {.operation = Operation::get, .batch = batch->batch()}, value, value_size, no_key());
  });
}

int godwit_database_exists(godwit_database* database, const void* key, size_t key_size, int* exists) {
  return godwit_database_exists_multi(database, 1, &key, &key_size, exists);
}

int godwit_database_length(godwit_database* database, const void* key, size_t key_size, uint64_t* length) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (length == nullptr) return is_null("length");
    const auto batch = key_from(key, key_size);
    if (!batch) return batch.error();
    const auto lengths = numbers_of(database->database, {.operation = Operation::length, .batch = batch->batch()}, 1);
    if (!lengths) return lengths.error();
    if (lengths->front() == GODWIT_NO_VALUE) return no_key();
    *length = lengths->front();
    return Done{};
  });
}

int godwit_database_erase(godwit_database* database, const void* key, size_t key_size) {
  return godwit_database_erase_multi(database, 1, &key, &key_size);
}

// ---------------------------------------------------------------- several keys

int godwit_database_put_multi(godwit_database* database, size_t count, const void* const* keys, const size_t* key_sizes,
                              const void* const* values, const uint64_t* value_sizes) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (count > 0 && (keys == nullptr || key_sizes == nullptr || values == nullptr || value_sizes == nullptr))
      return is_null("keys, key_sizes, values or value_sizes");
    BatchBuilder batch;
    for (size_t i = 0; i < count; ++i) {
      const auto key = bytes_from(keys, key_sizes, i, "key");
      if (!key) return key.error();
      const auto value = bytes_from(values[i], value_sizes[i], "value");
      if (!value) return value.error();
      if (auto added = batch.add(*key, *value); !added) return added;
    }
    return ask_for_nothing(database->database, {.operation = Operation::put, .batch = batch.batch()});
  });
}

int godwit_database_get_multi(godwit_database* database, size_t count, const void* const* keys, const size_t* key_sizes,
                              void* const* values, uint64_t* value_sizes) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (count > 0 && (values == nullptr || value_sizes == nullptr)) return is_null("values or value_sizes");
    const auto batch = keys_from(count, keys, key_sizes);
    if (!batch) return batch.error();
    return get_many(database->database, {.operation = Operation::get, .batch = batch->batch()}, count, values, value_sizes);
  });
}

int godwit_database_exists_multi(godwit_database* database, size_t count, const void* const* keys, const size_t* key_sizes,
                                 int* exist) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (exist == nullptr && count > 0) return is_null("exist");
    const auto batch = keys_from(count, keys, key_sizes);
    if (!batch) return batch.error();
    const auto found = numbers_of(database->database, {.operation = Operation::length, .batch = batch->batch()}, count);
    if (!found) return found.error();
    for (size_t i = 0; i < count; ++i) exist[i] = (*found)[i] != GODWIT_NO_VALUE ? 1 : 0;
    return Done{};
  });
}

int godwit_database_length_multi(godwit_database* database, size_t count, const void* const* keys, const size_t* key_sizes,
                                 uint64_t* lengths) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (lengths == nullptr && count > 0) return is_null("lengths");
    const auto batch = keys_from(count, keys, key_sizes);
    if (!batch) return batch.error();
    const auto found = numbers_of(database->database, {.operation = Operation::length, .batch = batch->batch()}, count);
    if (!found) return found.error();
    std::copy(found->begin(), found->end(), lengths);
    return Done{};
  });
}

int godwit_database_erase_multi(godwit_database* database, size_t count, const void* const* keys, const size_t* key_sizes) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    const auto batch = keys_from(count, keys, key_sizes);
    if (!batch) return batch.error();
    return ask_for_nothing(database->database, {.operation = Operation::erase, .batch = batch->batch()});
  });
}

// ---------------------------------------------------------------- all keys

int godwit_database_list_keys(godwit_database* database, const void* prefix, size_t prefix_size, const void* from_key,
                              size_t from_size, uint64_t max, godwit_key_value** keys, size_t* count) {
  return at_c_boundary(
      [&] { return list(database, Operation::list_keys, prefix, prefix_size, from_key, from_size, max, keys, count); });
}

int godwit_database_list_key_values(godwit_database* database, const void* prefix, size_t prefix_size, const void* from_key,
                                    size_t from_size, uint64_t max, godwit_key_value** pairs, size_t* count) {
  return at_c_boundary(
      [&] { return list(database, Operation::list_key_values, prefix, prefix_size, from_key, from_size, max, pairs, count); });
}

int godwit_database_count(godwit_database* database, const void* prefix, size_t prefix_size, uint64_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    if (count == nullptr) return is_null("count");
    const auto prefix_bytes = bytes_from(prefix, prefix_size, "prefix");
    if (!prefix_bytes) return prefix_bytes.error();
    const Result<Answer> answer = database->database.ask({.operation = Operation::count, .prefix = *prefix_bytes});
    if (!answer) return answer.error();
    *count = answer->number;
    return Done{};
  });
}

int godwit_database_persist(godwit_database* database) {
  return at_c_boundary([&]() -> Result<> {
    if (database == nullptr) return is_null("database");
    return ask_for_nothing(database->database, {.operation = Operation::persist});
  });
}
