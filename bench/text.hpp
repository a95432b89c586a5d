// Text: sizes as people write them, for files that see only the public header.
#pragma once

#include <cstdint>
#include <string>

namespace godwit::bench {

// "64KiB" in bytes. Throws std::runtime_error: not a size.
uint64_t size_from_text(const std::string& text);
// "64.0 KiB".
std::string text_from_size(uint64_t bytes);

}  // namespace godwit::bench
