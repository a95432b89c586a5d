// Selection: which regions the source has of those that were asked for, and how much room the destinations have.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "godwit-bulk/dispatcher.hpp"
#include "godwit-bulk/options.hpp"
#include "godwit-bulk/plan.hpp"

namespace godwit::bulk {

// Nothing can be moved at all.
class Refused : public std::runtime_error {
 public:
  Refused(int error, const std::string& text) : std::runtime_error(text), error_(error) {}
  int error() const { return error_; }  // GODWIT_ERR_*

 private:
  int error_;
};

struct Selection {
  std::vector<Item> items;
  std::vector<Failure> unknown;      // Lines of the list that name no region of the source.
  std::vector<uint64_t> free_bytes;  // Of each destination's target.
};

// Blocks. Throws Refused: a node does not answer, a target does not exist, the list cannot be read.
Selection select(const Options& options);

}  // namespace godwit::bulk
