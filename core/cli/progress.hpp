// Progress: a bar with rate and time left on a terminal, a line every few seconds elsewhere, all on standard error.
#pragma once

#include <godwit/godwit.h>

#include <chrono>

namespace godwit::cli {

// One thread.
class Progress {
 public:
  explicit Progress(bool quiet);
  ~Progress();  // Ends the bar's line.
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const godwit_progress& progress);
  // For transfers that the command itself loops over. `phase` is at most 15 characters.
  void show(const char* phase, uint64_t done_bytes, uint64_t total_bytes);

 private:
  enum class Way { kNone, kBar, kLines } way_;
  bool line_open_ = false;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point next_;  // When the next line, or bar, is due.
};

}  // namespace godwit::cli
