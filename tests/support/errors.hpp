// What a call of the C++ API throws.
#pragma once

#include <functional>
#include <godwit/godwit.hpp>
#include <string>

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

// What it says; "": nothing is thrown.
inline std::string text_of(const std::function<void()>& call) {
  try {
    call();
    return {};
  } catch (const godwit::Error& error) {
    return error.what();
  }
}

}  // namespace godwit::test
