// EventLog: what happened to each outbound job and why, as JSON lines in one file a job, which outlive the daemon.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"

namespace godwit::engine {

// One more member of an event's object.
struct Detail {
  Detail(std::string_view its_name, std::string its_text) : name(its_name), text(std::move(its_text)) {}
  Detail(std::string_view its_name, std::string_view its_text) : name(its_name), text(its_text) {}
  Detail(std::string_view its_name, const char* its_text) : name(its_name), text(its_text) {}
  Detail(std::string_view its_name, uint64_t its_number) : name(its_name), number(its_number) {}

  std::string_view name;
  std::string text = {};  // Cut to 4 KiB. What is no UTF-8 in it is replaced.
  std::optional<uint64_t> number = {};
};

// Thread-safe. Only read() and the destructor wait for the disk: a thread of the log's own writes what is noted. A disk that is
// full, or fails, loses events, says so once in the daemon's log, and harms nothing else. What was written survives the
// daemon's end, not the machine's.
class EventLog {
 public:
  static constexpr uint64_t kFilesMax = 1000;     // The oldest go; never one of a job that has not ended.
  static constexpr uint64_t kEventsMax = 10'000;  // Of one job: one says "more", and those after it are lost, but not its end.

  struct Page {
    std::string lines;   // Whole lines, each with its '\n'.
    uint64_t total = 0;  // Lines of the file.
  };

  // Files are DIRECTORY/JOBID.jsonl; the directory is made.
  explicit EventLog(std::string directory);
  // Writes what was noted.
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;

  // {"time": UTC as of now, "event": `event`, and the details}.
  void note(const Id& job, std::string_view event, std::initializer_list<Detail> details = {});
  // The event "ended", the job's last.
  void note_end(const Id& job, std::initializer_list<Detail> details = {});
  // At start: notes the end of each job whose file has none and that `is_known` does not know: the daemon ended before it.
  void end_cut_short(const std::function<bool(const Id&)>& is_known);
  // From line `first` on (0: the oldest), as many whole lines as fit into `bytes_max`, one at the least; with all that was
  // noted before the call. Errors: kNotFound, there is no file of that job; kIo.
  Result<Page> read(const Id& job, uint64_t first, uint64_t bytes_max);

 private:
  struct Line {
    Id job;
    std::string text;
    bool ends;
  };
  void add(const Id& job, std::string_view event, std::initializer_list<Detail> details, bool ends);
  void run();
  void write(const std::vector<Line>& lines);
  Result<> append(const Id& job, const std::string& text);
  void remove_oldest();
  std::string path_of(const Id& job) const;

  const std::string directory_;
  uint64_t files_ = 0;       // Of the thread, once it runs.
  bool has_failed_ = false;  // Of the thread.

  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  std::vector<Line> queue_;
  std::map<Id, uint64_t> live_;  // Jobs that have not ended, and how many events of each there were.
  uint64_t noted_ = 0;
  uint64_t written_ = 0;
  bool stopping_ = false;

  std::thread thread_;
};

}  // namespace godwit::engine
