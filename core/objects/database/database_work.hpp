// DatabaseWork: one request for a database's contents, wherever its bytes came from, and the bytes of its answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "objects/database/database_store.hpp"
#include "objects/permissions.hpp"
#include "protocol/codec.hpp"

namespace godwit::objects {

struct DatabaseAnswer {
  std::string result;         // Empty if there was no room for it.
  uint64_t result_bytes = 0;  // What it needs.
  uint64_t number = 0;        // A count, or an id.
  bool more = false;          // The listing goes on.
};

// Does what the request asks with `batch`, which nobody has checked, for at most `room_bytes` of result. Blocks for the disk,
// and holds an access of the database meanwhile. Errors: kBusy, kNotFound, as Gate::enter; kProtocol, the batch or the
// operation; kLimit; those of Pairs and Documents.
Result<DatabaseAnswer> work_on(Database& database, const wire::DatabaseWorkRequest& request, std::string_view batch,
                               uint64_t room_bytes);
// Whether the operation changes the database.
bool is_change(wire::DatabaseOperation operation);
// Whether it may take long also where nothing waits for a disk.
bool is_long(wire::DatabaseOperation operation);

// The reply: with the result inside, unless it has been put in the client's window.
std::span<const std::byte> database_answer(protocol::Encoder& encoder, uint64_t request, const DatabaseAnswer& answer,
                                           bool in_window);
flatbuffers::Offset<wire::DatabaseEntry> database_entry(flatbuffers::FlatBufferBuilder& builder, Database& database,
                                                        const std::string& address, const Permission& permission);
// As Permissions::check, of a database that is named by its id, and of what work is to be done on it.
Result<> check_database(const Permissions& permissions, const Caller& caller, const Id& id, Want want);
Result<> check_work(const Permissions& permissions, const Caller& caller, const wire::DatabaseWorkRequest& work);

}  // namespace godwit::objects
