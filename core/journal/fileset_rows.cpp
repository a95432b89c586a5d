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
  return read_rows<FilesetRecord>(
      database, "SELECT id,job,path,uid,arrived FROM fileset ORDER BY arrived,path", [](const Statement& row) {
        return FilesetRecord{row.id(0), row.id(1), row.text(2), static_cast<uint32_t>(row.number(3)), row.size(4)};
      });
}

}  // namespace godwit::journal
