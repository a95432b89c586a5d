// What godwit-bulk reads: the file of --list, lists of nodes, and the lines of an earlier run's report.
//
// Must hold: every entry of --list is part of a line, not empty, and without white space around it; comments and empty lines
// give none. A node list gives at most kNodesMax names, none of them empty, and a report is read, or they are refused.
#include <sstream>

#include "common/node_list.hpp"
#include "fuzz.hpp"
#include "godwit-bulk/earlier_run.hpp"
#include "godwit-bulk/object_list.hpp"
#include "godwit-bulk/refused.hpp"

namespace {

using namespace godwit;

void read_objects(const std::string& text) {
  std::istringstream in(text);
  const auto objects = bulk::read_object_list(in);
  const auto lines = static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  fuzz::must(objects.size() <= lines, "a line names one object at most");
  for (const bulk::Listed& listed : objects) {
    const std::string& name = listed.name;
    fuzz::must(!name.empty(), "an entry is a name", name);
    fuzz::must(name.find('\n') == std::string::npos, "an entry is on one line", name);
    const std::string around = {name.front(), name.back()};
    fuzz::must(around.find_first_of(" \t\r") == std::string::npos, "an entry has no white space around it", name);
    fuzz::must(text.find(name) != std::string::npos, "an entry is as it was written", name);
  }
}

void read_nodes(const std::string& text) {
  try {
    const auto names = tools::expand_nodes(text);
    fuzz::must(names.size() <= tools::kNodesMax, "a list is bounded");
    for (const std::string& name : names) {
      fuzz::must(!name.empty(), "a node has a name", text);
      static_cast<void>(tools::address_of(name, "tcp", 7411));
    }
  } catch (const bulk::Refused&) {
  }
}

void read_report(const std::string& text) {
  std::istringstream in("{\"tool\":\"godwit-bulk\",\"report_version\":1}\n" + text);
  try {
    for (const bulk::OpenCall& call : bulk::EarlierRun(in, "fuzz").take_open_calls())
      fuzz::must(call.ids.size() == call.names.size(), "every id has its name");
  } catch (const bulk::Refused&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text = fuzz::text_of(data, size);
  read_objects(text);
  read_nodes(text.substr(0, 1000));
  read_report(text);
  return 0;
}
