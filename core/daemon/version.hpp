// The release's number.
#pragma once

namespace godwit::daemon {

inline constexpr char kVersion[] = GODWIT_VERSION_TEXT;

}  // namespace godwit::daemon
