// The journal's database: a real one with changed bytes, with rows of another writer (their digests are right), or with tables
// that are not ours.
//
// Must hold: what is opened is within the limits of the design (states, ids, extents that hold their bytes, objects counted),
// can be read wholly and written; everything else is refused with kCorrupt or kIo, never served, and never made anew.
#include "journal/journal.hpp"

#include <unistd.h>

#include "fuzz.hpp"
#include "journal/schema.hpp"

namespace godwit::fuzz {
namespace {

using namespace journal;

constexpr uint64_t kPageBytes = 4096;

RegionRecord region_of(uint64_t number) {
  return {Id{1, number}, 1, "region " + std::to_string(number), "keep", Id{7, 8}, {number * kPageBytes, kPageBytes}, 4000};
}
JobObject object_of(uint64_t number) {
  return {Id{1, number}, Id{1, number}, 1, "region " + std::to_string(number), 4000, "keep", {number * kPageBytes, kPageBytes}};
}

// A directory with a journal in it, the same for every input.
class Place {
 public:
  Place() : directory_(make_directory()) {
    auto journal = Journal::open(directory_);
    must(bool(journal), "a journal can be made");
    for (uint64_t i = 0; i < 4; ++i) must(bool((*journal)->add_region(region_of(i))), "a region is added");
    const MovedRecord moved{Id{1, 0}, 2, "region 0", "tcp://10.0.0.2:7411", "keep"};
    const OutboundJob out{Id{2, 1}, OutboundState::kStarted, true, true, moved.address, "keep", {object_of(0)}, Id{3, 4}};
    must(bool((*journal)->start_outbound(out)), "a job starts");
    must(bool((*journal)->hand_over(out.job, std::span(&moved, 1))), "a job is handed over");
    const InboundJob in{Id{2, 2}, InboundState::kPrepared,       moved.address, "keep", Id{7, 8},
                        true,     {object_of(9), object_of(10)}, Id{3, 4}};
    must(bool((*journal)->prepare_inbound(in)), "a job is prepared");
    must(bool((*journal)->put_plan({Id{2, 3}, 1000, 1, "{}", "{}", "{}"})), "a plan is kept");
    const PermissionRecord permission{Id{2, 4}, 1000, 100, 0640};
    must(bool((*journal)->put_permissions({&permission, 1})), "a permission is kept");
    journal->reset();
    good_ = read_all(file());
  }
  const std::string& directory() const { return directory_; }
  const std::string& good() const { return good_; }
  std::string file() const { return directory_ + "/journal.db"; }
  void put(const std::string& bytes) const {
    for (const char* suffix : {"-wal", "-shm", "-journal"}) ::unlink((file() + suffix).c_str());
    write_all(file(), bytes);
  }

 private:
  std::string directory_;
  std::string good_;
};

std::string changed_bytes(Input& input, std::string bytes) {
  const uint8_t choices = input.byte();
  for (unsigned left = choices % 16; left > 0; --left) {
    const size_t page = input.byte() % (bytes.size() / kPageBytes);
    bytes[page * kPageBytes + input.number<uint16_t>() % kPageBytes] = static_cast<char>(input.byte());
  }
  if (choices & 0x40) bytes.resize(input.number<uint32_t>() % (bytes.size() + kPageBytes));
  return bytes;
}

// ---------------------------------------------------------------- another writer

struct Table {
  const char* insert;
  int columns;  // Without the digest.
};
constexpr Table kTables[] = {
    {"INSERT OR REPLACE INTO node VALUES(?1,row_digest(?1))", 1},
    {"INSERT OR REPLACE INTO region VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))", 8},
    {"INSERT OR REPLACE INTO moved VALUES(?1,?2,?3,?4,?5,row_digest(?1,?2,?3,?4,?5))", 5},
    {"INSERT OR REPLACE INTO outbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))", 8},
    {"INSERT OR REPLACE INTO inbound VALUES(?1,?2,?3,?4,?5,?6,?7,?8,row_digest(?1,?2,?3,?4,?5,?6,?7,?8))", 8},
    {"INSERT OR REPLACE INTO request VALUES(?1,?2,?3,row_digest(?1,?2,?3))", 3},
    {"INSERT OR REPLACE INTO checkpoint VALUES(?1,?2,?3,?4,row_digest(?1,?2,?3,?4))", 4},
    {"INSERT OR REPLACE INTO object "
     "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,row_digest(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,"
     "?12))",
     12},
    {"INSERT OR REPLACE INTO plan VALUES(?1,?2,?3,?4,?5,?6,row_digest(?1,?2,?3,?4,?5,?6))", 6},
};

void bind_any(Input& input, sqlite3_stmt* statement, int column) {
  switch (input.byte() % 4) {
    case 0: sqlite3_bind_int64(statement, column, static_cast<int64_t>(input.any_number())); break;
    case 1: {
      const Id id{input.byte() % 4u, input.byte() % 16u};
      sqlite3_bind_blob(statement, column, &id, sizeof id, SQLITE_TRANSIENT);
      break;
    }
    case 2: {
      const std::string text = input.text();
      sqlite3_bind_text(statement, column, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
      break;
    }
    default: {
      const std::string blob = input.text();
      sqlite3_bind_blob(statement, column, blob.data(), static_cast<int>(blob.size()), SQLITE_TRANSIENT);
    }
  }
}

void insert_row(Input& input, sqlite3* database) {
  const Table& table = kTables[input.byte() % std::size(kTables)];
  sqlite3_stmt* statement = nullptr;
  must(sqlite3_prepare_v2(database, table.insert, -1, &statement, nullptr) == SQLITE_OK, "a row can be written",
       sqlite3_errmsg(database));
  for (int column = 1; column <= table.columns; ++column) bind_any(input, statement, column);
  sqlite3_step(statement);
  sqlite3_finalize(statement);
}

// What stands in the way of a reader or a writer without touching a row.
void change_schema(Input& input, sqlite3* database) {
  static constexpr const char* kChanges[] = {
      "CREATE TRIGGER t AFTER INSERT ON region BEGIN DELETE FROM object; END",
      "CREATE TRIGGER t AFTER UPDATE ON outbound BEGIN DELETE FROM moved; END",
      "DROP TABLE moved; CREATE VIEW moved AS SELECT id,epoch,name,'tcp://a:1' AS address,target,digest FROM region WHERE 0",
      "DROP TABLE region; CREATE TABLE region(id,epoch,name,target,pool,offset,length,size,digest)",
      "ALTER TABLE region ADD COLUMN more",
      "CREATE TABLE other(id)",
      "DROP TABLE node",
  };
  sqlite3_exec(database, kChanges[input.byte() % std::size(kChanges)], nullptr, nullptr, nullptr);
}

bool write_as_another(Input& input, const std::string& file) {
  sqlite3* database = nullptr;
  must(sqlite3_open(file.c_str(), &database) == SQLITE_OK, "the database can be opened");
  must(define_row_digest(database) == SQLITE_OK, "row_digest is defined");
  sqlite3_exec(database, "PRAGMA synchronous=OFF; BEGIN", nullptr, nullptr, nullptr);
  const uint8_t choices = input.byte();
  for (unsigned left = choices % 4; left > 0; --left) insert_row(input, database);
  const bool other_schema = (choices & 0x40) != 0;
  if (other_schema) change_schema(input, database);
  sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(database);
  return other_schema;
}

// ---------------------------------------------------------------- what is served

void expect_extent(const Extent& extent, uint64_t size_bytes) {
  must(lies_within(extent, uint64_t{1} << 62), "an extent does not wrap");
  must(size_bytes <= extent.length_bytes, "an extent holds its bytes");
}

void expect_objects(const std::vector<JobObject>& objects) {
  for (const JobObject& object : objects) expect_extent(object.extent, object.size_bytes);
}

void read_wholly(Journal& journal) {
  const auto regions = journal.regions();
  const auto moved = journal.moved();
  const auto outbound = journal.outbound();
  const auto inbound = journal.inbound();
  const auto plans = journal.plans();
  const auto permissions = journal.permissions();
  must(regions && moved && outbound && inbound && plans && permissions && journal.requests(), "what was opened can be read");
  for (const PermissionRecord& permission : *permissions) must(permission.mode <= 0777, "a permission has a mode");
  for (const PlanRecord& plan : *plans) must(plan.state <= 4, "a plan has a state that we know");
  must(!journal.node_id().is_zero(), "a node has an id");
  for (const RegionRecord& region : *regions) expect_extent(region.extent, region.size_bytes);
  for (const OutboundJob& job : *outbound) {
    must(job.state <= OutboundState::kDone, "an outbound job has a state that we know");
    expect_objects(job.objects);
  }
  for (const InboundJob& job : *inbound) {
    must(job.state <= InboundState::kReceiving, "an inbound job has a state that we know");
    expect_objects(job.objects);
    must(bool(journal.checkpoint(job.job)), "what has arrived can be read");
  }
}

// What was acknowledged is there.
void write(Journal& journal) {
  const auto before = journal.inbound();
  const RegionRecord region = region_of(1000);
  if (!journal.add_region(region)) return;
  const auto regions = journal.regions();
  must(bool(regions), "the regions can be read after a write");
  must(std::any_of(regions->begin(), regions->end(),
                   [&](const RegionRecord& r) { return r.id == region.id && r.size_bytes == 4000; }),
       "an added region is there");
  const auto after = journal.inbound();
  must(before && after && before->size() == after->size(), "a region that is added changes no job");
  for (size_t i = 0; i < after->size(); ++i)
    must((*before)[i].objects.size() == (*after)[i].objects.size(), "a job keeps its objects");
}

void open(const Place& place, bool must_refuse) {
  const auto length = read_all(place.file()).size();
  auto journal = Journal::open(place.directory());
  if (!journal) {
    const Errc code = journal.error().code;
    must(code == Errc::kCorrupt || code == Errc::kIo, "a bad journal is kCorrupt or kIo", journal.error().text);
    must(read_all(place.file()).size() == length, "a refused journal is not made anew");
    return;
  }
  must(!must_refuse, "a journal with other tables is refused");
  read_wholly(**journal);
  write(**journal);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit::fuzz;
  static const Place place;
  Input input(data, size);
  bool other_schema = false;
  switch (input.byte() % 4) {
    case 0: place.put(changed_bytes(input, place.good())); break;
    case 1: place.put(input.rest_text()); break;
    default: place.put(place.good()); other_schema = write_as_another(input, place.file());
  }
  open(place, other_schema);
  return 0;
}
