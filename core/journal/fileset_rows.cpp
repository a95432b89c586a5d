#include "journal/fileset_rows.hpp"

#include <algorithm>

#include "journal/statement.hpp"

namespace godwit::journal {

Result<> put_filesets(sqlite3* database, std::span<const FilesetRecord> records) {
  if (records.empty()) return Done{};
  records = records.last(std::min(records.size(), kFilesetsMax));
  auto insert =
      Statement::prepare(database, "INSERT OR REPLACE INTO fileset VALUES(?1,?2,?3,?4,?5,row_digest(?1,?2,?3,?4,?5))");
  if (!insert) return std::move(insert).error();
  for (const FilesetRecord& record : records) {
    auto done = insert->run(record.path, record.id, record.job, uint64_t{record.uid}, record.arrival);
    if (!done) return std::move(done).error();
  }
  auto bound = Statement::prepare(database,
                                  "DELETE FROM fileset WHERE (SELECT count(*) FROM fileset)>?1 AND "
                                  "path IN (SELECT path FROM fileset ORDER BY arrived DESC,path DESC LIMIT -1 OFFSET ?1)");
  if (!bound) return std::move(bound).error();
  if (auto done = bound->run(uint64_t{kFilesetsMax}); !done) return std::move(done).error();
  return Done{};
}

Result<> forget_filesets(sqlite3* database, std::span<const std::string> paths) {
  if (paths.empty()) return Done{};
  // Text is compared by its bytes; '0' comes right after '/'.
  auto remove = Statement::prepare(database, "DELETE FROM fileset WHERE path=?1 OR (path>?1||'/' AND path<?1||'0')");
  if (!remove) return std::move(remove).error();
  for (const std::string& path : paths)
    if (auto done = remove->run(path); !done) return std::move(done).error();
  return Done{};
}

Result<std::vector<FilesetRecord>> read_filesets(sqlite3* database) {
  auto read = Statement::prepare(database, "SELECT id,job,path,uid,arrived FROM fileset ORDER BY arrived,path");
  if (!read) return std::move(read).error();
  std::vector<FilesetRecord> records;
  for (auto row = read->run();; row = read->step()) {
    if (!row) return std::move(row).error();
    if (!*row) return records;
    records.push_back({read->id(0), read->id(1), read->text(2), static_cast<uint32_t>(read->number(3)), read->size(4)});
  }
}

}  // namespace godwit::journal
