// The file of godwit-bulk --list: an id or a name a line, # comments.
//
// Must hold: every entry is part of a line, not empty, and without white space around it; comments and empty lines give none.
#include <sstream>

#include "fuzz.hpp"
#include "godwit-bulk/region_list.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit;
  const std::string text = fuzz::text_of(data, size);
  std::istringstream in(text);
  const auto names = bulk::read_region_list(in);
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  fuzz::must(names.size() <= lines, "a line names one region at most");
  for (const std::string& name : names) {
    fuzz::must(!name.empty() && name.front() != '#', "an entry is a name", name);
    fuzz::must(name.find('\n') == std::string::npos, "an entry is on one line", name);
    const std::string around = {name.front(), name.back()};
    fuzz::must(around.find_first_of(" \t\r") == std::string::npos, "an entry has no white space around it", name);
    fuzz::must(text.find(name) != std::string::npos, "an entry is as it was written", name);
  }
  return 0;
}
