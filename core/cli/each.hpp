// for_each_object: a command that does the same to several objects.
#pragma once

#include <string>
#include <vector>

#include "json.hpp"
#include "session.hpp"

namespace godwit::cli {

// `act(object)`: does it to one, and returns what --json tells of it. One at which it fails does not keep the others. The exit
// code is the first failure's.
template <class Act>
int for_each_object(const Session& session, const std::vector<std::string>& objects, Act act) {
  int exit_code = 0;
  Json list = Json::array();
  for (const std::string& object : objects) {
    const int one = session.run([&] {
      list.push_back(act(object));
      return 0;
    });
    if (exit_code == 0) exit_code = one;
  }
  if (session.json) print_json(list);
  return exit_code;
}

}  // namespace godwit::cli
