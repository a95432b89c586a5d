// The journal's tables (docs/design/journal.md), and the digest that every row carries.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>

namespace godwit::journal {

// Grows with every change that an older release could misread. 1 was never released.
inline constexpr int64_t kSchemaVersion = 2;

inline constexpr const char* kSchema = R"(
CREATE TABLE node(id BLOB NOT NULL PRIMARY KEY, digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE region(id BLOB NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL,
  pool BLOB NOT NULL, offset INTEGER NOT NULL, length INTEGER NOT NULL, size INTEGER NOT NULL,
  digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE moved(id BLOB NOT NULL PRIMARY KEY, epoch INTEGER NOT NULL, name TEXT NOT NULL, address TEXT NOT NULL,
  target TEXT NOT NULL, digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE outbound(job BLOB NOT NULL PRIMARY KEY, state INTEGER NOT NULL, is_move INTEGER NOT NULL,
  source_survives INTEGER NOT NULL, address TEXT NOT NULL, target TEXT NOT NULL, node BLOB NOT NULL, objects INTEGER NOT NULL,
  digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE inbound(job BLOB NOT NULL PRIMARY KEY, state INTEGER NOT NULL, source_address TEXT NOT NULL, target TEXT NOT NULL,
  pool BLOB NOT NULL, target_survives INTEGER NOT NULL, node BLOB NOT NULL, objects INTEGER NOT NULL,
  digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE object(inbound INTEGER NOT NULL, job BLOB NOT NULL, position INTEGER NOT NULL, id BLOB NOT NULL,
  destination_id BLOB NOT NULL, epoch INTEGER NOT NULL, name TEXT NOT NULL, size INTEGER NOT NULL, target TEXT NOT NULL,
  offset INTEGER NOT NULL, length INTEGER NOT NULL, digest INTEGER NOT NULL,
  PRIMARY KEY(inbound, job, position)) WITHOUT ROWID;
)";

// Each finds what must not be there: one row if the journal is damaged.
inline constexpr std::array kDamageQueries{
    "SELECT 1 FROM node WHERE digest<>row_digest(id)",
    "SELECT 1 FROM region WHERE digest<>row_digest(id,epoch,name,target,pool,offset,length,size)",
    "SELECT 1 FROM moved WHERE digest<>row_digest(id,epoch,name,address,target)",
    "SELECT 1 FROM outbound WHERE digest<>row_digest(job,state,is_move,source_survives,address,target,node,objects)",
    "SELECT 1 FROM inbound WHERE digest<>row_digest(job,state,source_address,target,pool,target_survives,node,objects)",
    "SELECT 1 FROM object WHERE "
    "digest<>row_digest(inbound,job,position,id,destination_id,epoch,name,size,target,offset,length)",
    "SELECT 1 FROM outbound o WHERE objects<>(SELECT count(*) FROM object WHERE inbound=0 AND job=o.job)",
    "SELECT 1 FROM inbound i WHERE objects<>(SELECT count(*) FROM object WHERE inbound=1 AND job=i.job)",
    "SELECT 1 FROM object o WHERE inbound=0 AND NOT EXISTS(SELECT 1 FROM outbound WHERE job=o.job)",
    "SELECT 1 FROM object o WHERE inbound=1 AND NOT EXISTS(SELECT 1 FROM inbound WHERE job=o.job)",
};

// row_digest(...) in SQL: the XXH3 of its arguments' types, lengths and bytes. SQLite keeps no checksum of its pages: without
// this a flipped bit in a state or an extent would go unseen. Returns SQLite's code.
int define_row_digest(sqlite3* connection);

}  // namespace godwit::journal
