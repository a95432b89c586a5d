// Progress: one line that is written over on a terminal; a line now and then in a log.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "godwit-bulk/dispatcher.hpp"

namespace godwit::bulk {

// "1.50 GiB".
std::string size_text(uint64_t bytes);

// One thread.
class Progress {
 public:
  explicit Progress(bool is_quiet);
  // Cheap: shows something only when it is time to.
  void show(const Dispatcher& dispatcher);
  // Takes the line away.
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  const bool is_quiet_;
  const bool is_terminal_;
  Clock::time_point shown_ = Clock::now();
};

}  // namespace godwit::bulk
