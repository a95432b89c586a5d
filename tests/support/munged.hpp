// Munged: a real munged for tests, with a socket and a key of its own; ends with the test.
#pragma once

#include <sys/types.h>

#include <string>

#include "support/daemon.hpp"

namespace godwit::test {

class Munged {
 public:
  // Whether this machine has one.
  static bool is_installed();

  // Starts it, with a key made of this character, and waits until it answers. Throws std::runtime_error, with its log, if it
  // does not within 20 s times patience.
  explicit Munged(char key = 'k');
  ~Munged();
  Munged(const Munged&) = delete;
  Munged& operator=(const Munged&) = delete;

  std::string socket() const { return directory_.path() + "/socket"; }

 private:
  const TemporaryDirectory directory_;  // Other users come in.
  pid_t pid_ = -1;
};

}  // namespace godwit::test
