// Refused: why a run does not begin.
#pragma once

#include <stdexcept>
#include <string>

namespace godwit::tools {

// Nothing was done, and nothing will be.
class Refused : public std::runtime_error {
 public:
  Refused(int error, const std::string& text) : std::runtime_error(text), error_(error) {}
  int error() const { return error_; }  // GODWIT_ERR_*

 private:
  int error_;
};

}  // namespace godwit::tools
