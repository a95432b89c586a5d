// Waiting for what must happen.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>

namespace godwit::test {

// GODWIT_TEST_PATIENCE: how often the usual time everything takes (instrumented programs, emulated processors).
inline int patience_times() {
  const char* set = std::getenv("GODWIT_TEST_PATIENCE");
  return set == nullptr ? 1 : std::max(1, std::atoi(set));
}

// Whether `what` holds within so long, times the patience.
inline bool comes_true(const std::function<bool()>& what, std::chrono::seconds patience = std::chrono::seconds(40)) {
  const int times = patience_times();
  const auto until = std::chrono::steady_clock::now() + patience * times;
  while (!what()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::sleep_for(times * std::chrono::milliseconds(5));  // To look costs more there, too.
  }
  return true;
}

}  // namespace godwit::test
