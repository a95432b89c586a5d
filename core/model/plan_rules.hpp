// What a plan's document may not say, though each word of it is known.
#pragma once

#include <string>

#include "base/result.hpp"
#include "model/plan.hpp"

namespace godwit::model {

// Pure. `path`: the stage's in the document. Errors of all: kInvalid; the text begins with the path.

// What two of a stage's own words say against each other. What is left is what it means: it goes into `stage.transfer`.
Result<> settle_constraints(PlanStage& stage, const std::string& path);
// Where its objects go is said, and fit for their kind.
Result<> check_places(const PlanStage& stage, const std::string& path);
// No object leaves twice.
Result<> check_objects(const Plan& plan);

}  // namespace godwit::model
