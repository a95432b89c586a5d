// RunLines: a run's account as JSON lines, each written out when it happens, so that it can be read whatever ends the run.
//
// The first line is the header: "tool", "version", "report_version", "copy", "from", "to". Then, in the order of time: a call
// that a rank is told to make ("call", "rank", "source", "destination", "kind", "ids" without anything between them, "names",
// "begin_s"); the job that its source has begun for it ("call", "job"); an object whose fate is decided ("kind", "id", "name",
// "bytes", "source", "destination", "state", "error", "text", "attempts", "rank", "call", "begin_s", "end_s"; of an earlier run
// only the first three, "state" and "earlier"); a call that ended ("call", "end_s", "bytes", "objects", "error", "open": its
// job may still be at work).
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "godwit-bulk/items.hpp"
#include "godwit-bulk/tally.hpp"

namespace godwit::bulk {

// The file of a report's lines.
std::string lines_path(const std::string& report_path);

// The end of an item.
struct Fate {
  std::string_view source, destination;  // Addresses; destination "": it was never sent.
  std::string_view text;                 // Of its failure.
  uint32_t rank = 0, call = 0;
  double begin_seconds = 0, end_seconds = 0;
};

// One thread at a time. What cannot be written is told by finish(); nothing of it stops a run.
class RunLines {
 public:
  // Writes to a file beside `path`, which keeps what it has until begin(). Throws Refused: IO.
  RunLines(std::string path, bool is_copy, const std::vector<std::string>& from, const std::vector<std::string>& to);

  // What an earlier run moved, or left in doubt, before begin().
  void earlier(Kind kind, std::string_view id, std::string_view name, State state);
  // The file is complete up to here, and on the disk: it takes the place of what is at `path`. Throws Refused: IO.
  void begin();

  void call_given(uint32_t call, uint32_t rank, std::string_view source, std::string_view destination, const Items& items,
                  const std::vector<uint32_t>& in_it, double begin_seconds);
  void call_started(uint32_t call, std::string_view job);
  void item(const Items& items, const Item& item, const Fate& fate);
  void call_ended(uint32_t call, const CallRecord& record, bool is_open);
  // Passes what was written on to the kernel: from then on the death of this process takes nothing back.
  void flush() { std::fflush(file_.get()); }
  // Whether all was written, and is on the disk.
  bool finish();

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  void write(std::string_view line);

  const std::string path_;
  const std::string new_path_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  bool is_whole_ = true;
};

}  // namespace godwit::bulk
