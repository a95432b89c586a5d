// A plan, which the API gives as JSON, for people; and the failure that it means for a command.
#pragma once

#include <string>

#include "json.hpp"
#include "session.hpp"

namespace godwit::cli {

// The plan in a text of the API's, which is freed. Throws Failure (PROTOCOL): it is none.
Json take_json(char* text);
// Its stages as a table, then what would not work, or has not.
std::string plan_text(const Json& plan);
// Why it would not work. Throws Failure with the error that the plan names first, if there is one.
void check_findings(const Json& plan);
// Why it has not worked; likewise.
void check_outcome(const Json& plan);

}  // namespace godwit::cli
