// The tables `region` and `database`: what is on this node's targets, and what it hosts.
#pragma once

#include <sqlite3.h>

#include <span>

#include "base/result.hpp"
#include "journal/journal.hpp"

namespace godwit::journal {

// Within a transaction of the caller's, each in the place of the row with its key. Errors: those of Statement.
Result<> add_regions(sqlite3* database, std::span<const RegionRecord> regions);
// A record that is kForgotten takes its row away.
Result<> put_databases(sqlite3* database, std::span<const DatabaseRecord> records);

}  // namespace godwit::journal
