// DoctorText: a node's report on itself, for people.
#pragma once

#include <string>

#include "json.hpp"

namespace godwit::cli {

// Any JSON as indented text: an object's members a line each, a list of objects as a table. What a node adds to its report
// in a later version is shown too.
std::string as_text(const Json& json);

}  // namespace godwit::cli
