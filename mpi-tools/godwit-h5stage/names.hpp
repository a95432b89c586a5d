// Names: of a stage, and of the regions that it is made of. Pure.
//
// Stage "run7" is region "run7.h5stage", its head, which is made last, and "run7.h5stage.000000" and so on, the data. While one
// is replaced "run7.h5stage.next" is the head of the one that comes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace godwit::h5stage {

// Throws Failure: INVALID, empty, longer than 100 bytes, a control character, or ".h5stage" in it.
void check_stage_name(std::string_view name);
// Of a file: its name without directories and ".h5", ".hdf5" or ".nc".
std::string stage_name_of(std::string_view file);

std::string head_name(std::string_view stage);
std::string next_head_name(std::string_view stage);
std::string part_name(std::string_view stage, size_t part);

struct OfStage {
  std::string stage;
  bool is_head = false;
  bool is_next_head = false;
  size_t part = 0;  // Of neither.
};
// Absent: a region that belongs to no stage.
std::optional<OfStage> stage_of_region(std::string_view region);

}  // namespace godwit::h5stage
