// What the tools print rates in.
#pragma once

namespace godwit::tools {

constexpr double kGib = 1 << 30;  // Bytes.

}  // namespace godwit::tools
