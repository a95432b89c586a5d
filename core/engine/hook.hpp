// Hook: a program of the operator's that may refuse a migration.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"

namespace godwit::engine {

// Runs `program`, without arguments, with our environment and `variables` added, its input and output closed, and waits for it.
// An empty program succeeds. Any thread. Errors: kDenied, it refused (another exit code than 0), ended by a signal, could not
// be started, or ran beyond the time allowed, when it is killed; the text has the first line that it wrote to its standard
// error.
Result<> run_hook(const std::string& program, const std::vector<std::pair<std::string, std::string>>& variables,
                  milliseconds allowed);

}  // namespace godwit::engine
