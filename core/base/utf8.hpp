// Utf8: whether a text that a stranger sent can be shown as one.
#pragma once

#include <string_view>

namespace godwit {

// As RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text);

}  // namespace godwit
