// Verify: reads back at the destination what has landed there.
#pragma once

#include "engine/sink_stream.hpp"

namespace godwit::engine {

// Reads every block of the transfer from where its objects are stored, and compares its digest with the one that it was sent
// with. The transfer kept them, and nothing of it is under way any more. Blocks. Errors: kDigest, the text names the first
// object that differs; kIo.
Result<> verify_blocks(const SinkTransfer& transfer);

}  // namespace godwit::engine
