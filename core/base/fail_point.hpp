// Fail points: named places where a test, or GODWIT_FAIL in the environment, makes an operation fail.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace godwit {

#if defined(GODWIT_FAIL_POINTS)

// The errno to fail with here, or 0: go on. Counts this passage. Costs one relaxed load while nothing is set.
// Any thread. The first call reads GODWIT_FAIL.
int fail_point(std::string_view name);
// From now on the point `name` fails with `number`; with `at_hit` n > 0, only the n-th passage from now on does.
// `number` 0 takes the point back.
void set_fail_point(std::string_view name, int number, uint64_t at_hit = 0);
void clear_fail_points();
// Sets the points of "name=errno[@hit][,...]"; the errno is a number, or a name: EIO, ENOSPC, ENOMEM, EPERM, EINVAL, ...
// Two more words instead of an errno: KILL ends the process there as kill -9 would; PAUSE stops the thread there: it makes the
// file $GODWIT_FAIL_PAUSES/name (a directory), and goes on, with nothing failed, when somebody has removed it.
// Errors: kInvalid, and nothing is set.
Result<> set_fail_points(std::string_view text);

// Ends the process as kill -9 would if the point `name` is set, to whatever number; PAUSE stops here, too.
void crash_point(std::string_view name);

#else

constexpr int fail_point(std::string_view) { return 0; }
constexpr void crash_point(std::string_view) {}

#endif

}  // namespace godwit
