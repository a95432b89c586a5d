// Results: what rank 0 prints, and what its report says.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "godwit-mpibench/measure.hpp"

namespace godwit::mpibench {

void print_head();
// The rows of one case, each with its ratio to the raw loop of the same case.
void print_case(const std::vector<Result>& results);
// As docs/reference/report.md has measurements, appended to `measurements`.
void append_case(const std::vector<Result>& results, const std::string& provider, nlohmann::json& measurements);

}  // namespace godwit::mpibench
