// The tables of jobs: `outbound`, `inbound`, their objects, and what has arrived of an inbound one.
#pragma once

#include <sqlite3.h>

#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"

namespace godwit::journal {

// All but read_... within a transaction of the caller's. Errors: those of Statement; kNotFound, a job that is not in the state
// that it leaves: the text says what it could not be.

Result<> add_outbound(sqlite3* database, const OutboundJob& job);
// Makes room for another record of a job that has started.
Result<> remove_outbound(sqlite3* database, const Id& job);
Result<> change_outbound(sqlite3* database, const Id& job, const char* what, OutboundState from, OutboundState to);
// With its request, if it has one. No job: nothing to do.
Result<> forget_outbound_rows(sqlite3* database, const Id& job);
Result<std::vector<OutboundJob>> read_outbound(sqlite3* database);

Result<> add_inbound(sqlite3* database, const InboundJob& job, InboundState state);
// Makes room for another record of the job, if it is in this state; its checkpoints stay.
Result<> remove_inbound(sqlite3* database, const Id& job, InboundState state);
Result<> change_inbound(sqlite3* database, const Id& job, const char* what, InboundState from, InboundState to);
// With what has arrived. No job: nothing to do.
Result<> forget_inbound_rows(sqlite3* database, const Id& job);
Result<std::vector<InboundJob>> read_inbound(sqlite3* database);

// What has arrived of an inbound job before it is whole.
Result<> put_checkpoint(sqlite3* database, const Id& job, const Checkpoint& checkpoint);
Result<Checkpoint> read_checkpoint(sqlite3* database, const Id& job);
Result<> forget_checkpoint(sqlite3* database, const Id& job);

}  // namespace godwit::journal
