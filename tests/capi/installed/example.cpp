// The same in C++.
#include <godwit/godwit.hpp>
#include <iostream>

int main() {
  try {
    godwit::Client().ping("tcp://127.0.0.1:1");
  } catch (const godwit::Error& error) {
    std::cout << error.name() << ": " << error.what() << '\n';
    return error.code() == GODWIT_ERR_UNREACHABLE ? 0 : 1;
  }
  return 1;
}
