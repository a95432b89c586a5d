// The C boundary: results and exceptions become error codes here, and nowhere else.
#pragma once

#include <string_view>

#include "base/result.hpp"
#include "godwit/godwit.h"

namespace godwit::client {

// Keeps the error as this thread's last one; returns its number.
int remember(const Error& error) noexcept;
// The same for the exception that is being handled: bad_alloc is kMemory, all others are kInternal.
int remember_exception() noexcept;
// This thread's last error, "" if there was none.
const char* last_error() noexcept;

// Runs `body`, a Result<>(), for a function of godwit.h: no exception leaves it.
template <class Body>
int at_c_boundary(Body&& body) noexcept {
  try {
    const Result<> result = body();
    return result ? GODWIT_OK : remember(result.error());
  } catch (...) {
    return remember_exception();
  }
}

// What an argument that may not be NULL gets.
inline Error is_null(std::string_view argument) { return Error{Errc::kInvalid, std::string(argument) + " is NULL"}; }

}  // namespace godwit::client
