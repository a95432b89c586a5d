// EarlierRun: what the report of a run says of it, for the run that goes on.
#pragma once

#include <istream>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "godwit-bulk/items.hpp"
#include "godwit-bulk/run_lines.hpp"

namespace godwit::bulk {

// A call whose end the report does not tell, or tells to be open: its job may be at work, or have done everything since.
struct OpenCall {
  std::string job;  // Empty: the report ends before anybody told which.
  std::string source, destination;
  Kind kind = Kind::kRegion;
  std::vector<godwit_region_id> ids;
  std::vector<std::string> names;
};

// One thread.
class EarlierRun {
 public:
  // Nothing: a run from the beginning.
  EarlierRun() = default;
  // Reads the lines of a report; a last line that was cut short counts as not written. `path` is for messages. Throws Refused:
  // INVALID, it is no such file; VERSION, of another version; CORRUPT, a line is damaged; IO.
  EarlierRun(std::istream& lines, const std::string& path);

  bool is_copy() const { return is_copy_; }
  bool has_arrived(Kind kind, godwit_region_id id) const { return contains(arrived_, kind, id); }
  // By its name, of a region or database.
  bool has_arrived(Kind kind, const std::string& name) const { return names_.contains(text_of(kind) + (" " + name)); }
  // Whether it must not be sent: nobody could tell what became of it.
  bool is_in_doubt(Kind kind, godwit_region_id id) const { return in_doubt_.contains(Key{id, kind}); }
  size_t arrived() const { return arrived_.size(); }

  // The calls to ask the sources about; each must be settled before anything is sent.
  std::vector<OpenCall> take_open_calls();
  // Whether the report names the job.
  bool knows_job(const std::string& job) const { return jobs_.contains(job); }
  // What became of an item of an open call.
  void settle_arrived(Kind kind, godwit_region_id id, const std::string& name);
  void settle_in_doubt(Kind kind, godwit_region_id id, const std::string& name);
  // After the last settle_*(), before the first question.
  void settled();

  // What has arrived and what is in doubt, for the next report. What arrived is read once more from the file, so that it need
  // not be kept.
  void carry(std::istream& lines, RunLines& to) const;

 private:
  struct Key {
    godwit_region_id id;
    Kind kind;
    bool operator<(const Key& other) const;
  };
  static bool contains(const std::vector<Key>& keys, Kind kind, godwit_region_id id);
  void read_line(const std::string& line);

  bool is_copy_ = false;
  std::vector<Key> arrived_;             // Sorted by settled().
  std::map<Key, std::string> in_doubt_;  // With their names.
  std::unordered_set<std::string> names_;
  std::unordered_set<std::string> jobs_;
  std::map<uint32_t, OpenCall> open_;
  struct Doubt {
    Key key;
    std::string name;
    uint32_t call;
  };
  std::vector<Doubt> doubts_;
  std::vector<std::pair<Key, std::string>> settled_;
};

// The file of a report's lines, for --resume FILE: FILE.items, or else FILE.
std::string lines_of_report(const std::string& path);

}  // namespace godwit::bulk
