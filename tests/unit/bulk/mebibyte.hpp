// Sizes as the tests of godwit-bulk say them.
#pragma once

#include <cstdint>

namespace godwit::bulk {

constexpr uint64_t kMiB = 1 << 20;

}  // namespace godwit::bulk
