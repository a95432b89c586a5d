// Resume: what an earlier run has done, from its report and from the sources of its calls.
#pragma once

#include "godwit-bulk/earlier_run.hpp"
#include "godwit-bulk/options.hpp"

namespace godwit::bulk {

// What --resume goes on with: reads the report, and asks the sources what became of the calls whose end it does not tell, for
// at most --stall-timeout each; without --resume: nothing. Blocks. Throws Refused: as EarlierRun; IO, there is no report;
// INVALID, it is of a run with another --copy.
EarlierRun read_earlier(const Options& options);

}  // namespace godwit::bulk
