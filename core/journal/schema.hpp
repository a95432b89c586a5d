// The journal's tables (docs/design/journal.md), and the digest that every row carries.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>

namespace godwit::journal {

// Grows with every change that another build could misread. 1 to 5 were never released.
inline constexpr int64_t kSchemaVersion = 6;

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
  offset INTEGER NOT NULL, length INTEGER NOT NULL, kind INTEGER NOT NULL, digest INTEGER NOT NULL,
  PRIMARY KEY(inbound, job, position)) WITHOUT ROWID;
CREATE TABLE staging(job BLOB NOT NULL, incoming INTEGER NOT NULL, directory TEXT NOT NULL, digest INTEGER NOT NULL,
  PRIMARY KEY(job, incoming, directory)) WITHOUT ROWID;
CREATE TABLE request(job BLOB NOT NULL PRIMARY KEY, attempt INTEGER NOT NULL, text TEXT NOT NULL,
  digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE checkpoint(job BLOB NOT NULL, chunk INTEGER NOT NULL, block_bytes INTEGER NOT NULL, blocks BLOB NOT NULL,
  digest INTEGER NOT NULL, PRIMARY KEY(job, chunk)) WITHOUT ROWID;
CREATE TABLE listing(job BLOB NOT NULL, position INTEGER NOT NULL, bytes BLOB NOT NULL, digest INTEGER NOT NULL,
  PRIMARY KEY(job, position)) WITHOUT ROWID;
CREATE TABLE database(id BLOB NOT NULL, epoch INTEGER NOT NULL, name TEXT NOT NULL, backend TEXT NOT NULL, path TEXT NOT NULL,
  options TEXT NOT NULL, is_created INTEGER NOT NULL, state INTEGER NOT NULL, address TEXT NOT NULL, digest INTEGER NOT NULL,
  PRIMARY KEY(id, epoch)) WITHOUT ROWID;
CREATE TABLE plan(id BLOB NOT NULL PRIMARY KEY, created INTEGER NOT NULL, state INTEGER NOT NULL, document TEXT NOT NULL,
  findings TEXT NOT NULL, progress TEXT NOT NULL, digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE permission(id BLOB NOT NULL PRIMARY KEY, uid INTEGER NOT NULL, gid INTEGER NOT NULL, mode INTEGER NOT NULL,
  digest INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE fileset(path TEXT NOT NULL PRIMARY KEY, id BLOB NOT NULL, job BLOB NOT NULL, uid INTEGER NOT NULL,
  arrived INTEGER NOT NULL, digest INTEGER NOT NULL) WITHOUT ROWID;
)";

// Each finds what must not be there: one row if the journal is damaged.
inline constexpr std::array kDamageQueries{
    "SELECT 1 FROM node WHERE digest<>row_digest(id)",
    "SELECT 1 FROM region WHERE digest<>row_digest(id,epoch,name,target,pool,offset,length,size)",
    "SELECT 1 FROM moved WHERE digest<>row_digest(id,epoch,name,address,target)",
    "SELECT 1 FROM outbound WHERE digest<>row_digest(job,state,is_move,source_survives,address,target,node,objects)",
    "SELECT 1 FROM inbound WHERE digest<>row_digest(job,state,source_address,target,pool,target_survives,node,objects)",
    "SELECT 1 FROM object WHERE "
    "digest<>row_digest(inbound,job,position,id,destination_id,epoch,name,size,target,offset,length,kind)",
    "SELECT 1 FROM staging WHERE digest<>row_digest(job,incoming,directory)",
    "SELECT 1 FROM request WHERE digest<>row_digest(job,attempt,text)",
    "SELECT 1 FROM checkpoint WHERE digest<>row_digest(job,chunk,block_bytes,blocks)",
    "SELECT 1 FROM listing WHERE digest<>row_digest(job,position,bytes)",
    "SELECT 1 FROM database WHERE digest<>row_digest(id,epoch,name,backend,path,options,is_created,state,address)",
    "SELECT 1 FROM plan WHERE digest<>row_digest(id,created,state,document,findings,progress)",
    "SELECT 1 FROM permission WHERE digest<>row_digest(id,uid,gid,mode)",
    "SELECT 1 FROM fileset WHERE digest<>row_digest(path,id,job,uid,arrived)",
    // A right digest says that nothing was lost, not that the writer knew our limits: numbers that no release writes would
    // reach the space of another region.
    "SELECT 1 FROM node WHERE typeof(id)<>'blob' OR length(id)<>16 OR id=zeroblob(16)",
    "SELECT 1 FROM region WHERE typeof(id)<>'blob' OR length(id)<>16 OR typeof(pool)<>'blob' OR length(pool)<>16 OR "
    "offset NOT BETWEEN 0 AND 1<<62 OR length NOT BETWEEN 0 AND (1<<62)-offset OR size NOT BETWEEN 0 AND length",
    "SELECT 1 FROM moved WHERE typeof(id)<>'blob' OR length(id)<>16",
    "SELECT 1 FROM outbound WHERE typeof(job)<>'blob' OR length(job)<>16 OR state NOT IN (0,1,2)",
    "SELECT 1 FROM inbound WHERE typeof(job)<>'blob' OR length(job)<>16 OR state NOT IN (0,1,2)",
    "SELECT 1 FROM request WHERE typeof(job)<>'blob' OR length(job)<>16",
    "SELECT 1 FROM checkpoint WHERE typeof(job)<>'blob' OR length(job)<>16 OR typeof(blocks)<>'blob' OR "
    "length(blocks)=0 OR length(blocks)>65536 OR length(blocks)%16<>0 OR chunk NOT BETWEEN 0 AND 1<<32",
    "SELECT 1 FROM staging WHERE typeof(job)<>'blob' OR length(job)<>16 OR incoming NOT IN (0,1)",
    "SELECT 1 FROM object WHERE inbound NOT IN (0,1) OR kind NOT IN (0,1,2) OR typeof(id)<>'blob' OR length(id)<>16 OR "
    "offset NOT BETWEEN 0 AND 1<<62 OR length NOT BETWEEN 0 AND (1<<62)-offset OR size NOT BETWEEN 0 AND length",
    "SELECT 1 FROM database WHERE typeof(id)<>'blob' OR length(id)<>16 OR name='' OR is_created NOT IN (0,1) OR "
    "state NOT IN (0,1,2) OR (path<>'' AND substr(path,1,1)<>'/')",
    "SELECT 1 FROM plan WHERE typeof(id)<>'blob' OR length(id)<>16 OR state NOT BETWEEN 0 AND 4",
    "SELECT 1 FROM permission WHERE typeof(id)<>'blob' OR length(id)<>16 OR typeof(uid)<>'integer' OR typeof(gid)<>'integer' "
    "OR "
    "typeof(mode)<>'integer' OR uid NOT BETWEEN 0 AND 4294967295 OR gid NOT BETWEEN 0 AND 4294967295 OR mode NOT BETWEEN 0 AND "
    "511",
    "SELECT 1 FROM fileset WHERE typeof(id)<>'blob' OR length(id)<>16 OR typeof(job)<>'blob' OR length(job)<>16 OR "
    "typeof(path)<>'text' OR substr(path,1,1)<>'/' OR typeof(uid)<>'integer' OR uid NOT BETWEEN 0 AND 4294967295",
    "SELECT 1 FROM outbound o WHERE objects<>(SELECT count(*) FROM object WHERE inbound=0 AND job=o.job)",
    "SELECT 1 FROM inbound i WHERE objects<>(SELECT count(*) FROM object WHERE inbound=1 AND job=i.job)",
    "SELECT 1 FROM checkpoint c WHERE NOT EXISTS(SELECT 1 FROM inbound WHERE job=c.job AND state<>1)",
    "SELECT 1 FROM listing l WHERE typeof(bytes)<>'blob' OR NOT EXISTS(SELECT 1 FROM inbound WHERE job=l.job AND state<>1)",
    "SELECT 1 FROM object o WHERE inbound=0 AND NOT EXISTS(SELECT 1 FROM outbound WHERE job=o.job)",
    "SELECT 1 FROM object o WHERE inbound=1 AND NOT EXISTS(SELECT 1 FROM inbound WHERE job=o.job)",
};

// The tables and their columns as one text: views and triggers, which would change what we read and write, show in it too.
inline constexpr const char* kShape = R"(
SELECT group_concat(shape, ';') FROM (
  SELECT type || ' ' || name || ':' || coalesce((SELECT group_concat(name || ' ' || type || ' ' || "notnull" || ' ' || pk)
    FROM pragma_table_info(s.name)), '') AS shape FROM sqlite_schema s ORDER BY type, name))";

// row_digest(...) in SQL: the XXH3 of its arguments' types, lengths and bytes. SQLite keeps no checksum of its pages: without
// this a flipped bit in a state or an extent would go unseen. Returns SQLite's code.
int define_row_digest(sqlite3* connection);

}  // namespace godwit::journal
