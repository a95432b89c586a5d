#include "journal/object_rows.hpp"

#include "journal/statement.hpp"

namespace godwit::journal {

Result<> add_regions(sqlite3* database, std::span<const RegionRecord> regions) {
  if (regions.empty()) return Done{};
  auto insert = Statement::prepare(
      database, "INSERT OR REPLACE INTO region VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))");
  if (!insert) return std::move(insert).error();
  for (const RegionRecord& region : regions) {
    auto done = insert->run(region.id, region.epoch, region.name, region.target, region.pool, region.extent.offset_bytes,
                            region.extent.length_bytes, region.size_bytes);
    if (!done) return std::move(done).error();
  }
  return Done{};
}

Result<> put_databases(sqlite3* database, std::span<const DatabaseRecord> records) {
  for (const DatabaseRecord& record : records) {
    auto put = record.state == DatabaseState::kForgotten
                   ? run_once(database, "DELETE FROM database WHERE id=?1 AND epoch=?2", record.id, record.epoch)
                   : run_once(database,
                              "INSERT OR REPLACE INTO database VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,"
                              "row_digest(?1,?2,?3,?4,?5,?6,?7,?8,?9))",
                              record.id, record.epoch, record.name, record.backend, record.path, record.options,
                              uint64_t(record.is_created), uint64_t(record.state), record.address);
    if (!put) return put;
  }
  return Done{};
}

}  // namespace godwit::journal
