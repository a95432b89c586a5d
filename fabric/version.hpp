// Version: which libfabric this is.
#pragma once

#include <string>

namespace godwit::fabric {

// The libfabric that this process runs with: "1.17". Any thread.
std::string libfabric_version();

}  // namespace godwit::fabric
