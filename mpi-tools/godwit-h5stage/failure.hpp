// Failure: why a run ends, in the terms of godwit.h.
#pragma once

#include <stdexcept>
#include <string>

namespace godwit::h5stage {

// What failed, on which dataset or node. error() is one of GODWIT_ERR_*, of which exit code and remedy follow.
class Failure : public std::runtime_error {
 public:
  Failure(int error, const std::string& text) : std::runtime_error(text), error_(error) {}
  int error() const { return error_; }

 private:
  int error_;
};

}  // namespace godwit::h5stage
