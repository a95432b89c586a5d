// What a call of the C++ API throws.
#pragma once

#include <functional>
#include <godwit/godwit.hpp>

namespace godwit::test {

// GODWIT_OK: nothing.
inline int code_of(const std::function<void()>& call) {
  try {
    call();
    return GODWIT_OK;
  } catch (const godwit::Error& error) {
    return error.code();
  }
}

}  // namespace godwit::test
