// Names and ids from users and peers, and the text that is printed of them.
//
// Must hold: what the client lets through the daemon accepts, and both keep to the documented limits; nothing made printable
// holds a control character or (on the command line) invalid UTF-8; an id is read back as it was printed.
#include "base/id.hpp"
#include "base/log.hpp"
#include "client/rules.hpp"
#include "fuzz.hpp"
#include "objects/region_store.hpp"
#include "text.hpp"

namespace godwit::fuzz {
namespace {

bool has_control_character(const std::string& text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

void check_names(const std::string& text) {
  const bool client = bool(client::check_region_name(text));
  const bool daemon = bool(objects::check_name(text));
  if (client) must(daemon, "the daemon accepts a name that the client accepts", text);
  if (daemon) must(text.size() <= 128 && !has_control_character(text) && !parse_id(text), "a name is within its limits", text);
  // "Empty" is how the daemon says that a region has no name.
  if (daemon && !text.empty()) must(client, "the client accepts a name that the daemon accepts", text);
  if (client::check_target_name(text))
    must(!text.empty() && text.size() <= 64 && !has_control_character(text), "a target's name is within its limits", text);
}

void check_printable(const std::string& text) {
  must(!has_control_character(log::printable(text)), "a log line has no control characters", text);
  const std::string shown = cli::printable(text);
  must(!has_control_character(shown), "what is printed has no control characters", text);
  must(cli::printable(shown) == shown, "what is printable stays as it is", text);
  cli::Table table({text, "HEADING"});
  table.add({"cell", text});
  const std::string lines = table.text();
  must(std::count(lines.begin(), lines.end(), '\n') == 2, "a row is a line", text);
}

void check_ids(const std::string& text) {
  const auto id = parse_id(text);
  if (!id) return;
  must(text.size() == 32, "an id has 32 digits", text);
  must(parse_id(to_string(*id)) == id, "an id is read back as it was printed", text);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit::fuzz;
  const std::string text = text_of(data, size);
  check_names(text);
  check_printable(text);
  check_ids(text);
  return 0;
}
