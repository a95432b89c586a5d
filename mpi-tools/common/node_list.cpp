#include "common/node_list.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <unordered_set>

#include "common/refused.hpp"

namespace godwit::tools {
namespace {

constexpr size_t kDigitsMax = 9;

[[noreturn]] void refuse(std::string_view list, std::string_view why) {
  throw Refused(GODWIT_ERR_INVALID, fmt::format("the node list \"{}\": {}", list, why));
}

// Splits at commas outside of brackets.
std::vector<std::string_view> terms_of(std::string_view list) {
  std::vector<std::string_view> terms;
  size_t begin = 0;
  bool is_inside = false;
  for (size_t at = 0; at <= list.size(); ++at) {
    const char here = at < list.size() ? list[at] : ',';
    if (here == '[') is_inside = true;
    if (here == ']') is_inside = false;
    if (at == list.size() && is_inside) refuse(list, "a bracket does not close");
    if (here != ',' || is_inside) continue;
    terms.push_back(list.substr(begin, at - begin));
    begin = at + 1;
  }
  return terms;
}

uint32_t number_of(std::string_view digits, std::string_view list) {
  if (digits.empty() || digits.size() > kDigitsMax) refuse(list, "a range is two numbers of at most nine digits, or one");
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) refuse(list, "a range is two numbers, or one");
  return value;
}

// One list of nodes that is being expanded.
class Expansion {
 public:
  explicit Expansion(std::string_view list) : list_(list) {}

  // `done` is the term's beginning, without brackets; `rest` is what follows it.
  void expand(const std::string& done, std::string_view rest) {
    const size_t open = rest.find('[');
    const size_t close = open == std::string_view::npos ? open : rest.find(']', open);
    if (close == std::string_view::npos) return add(done + std::string(rest));
    const std::string_view inside = rest.substr(open + 1, close - open - 1), after = rest.substr(close + 1);
    if (inside.find(':') != std::string_view::npos)  // An IPv6 address.
      return expand(done + std::string(rest.substr(0, close + 1)), after);
    const std::string before = done + std::string(rest.substr(0, open));
    for (size_t begin = 0; begin <= inside.size();) {
      const size_t end = std::min(inside.find(',', begin), inside.size());
      expand_range(before, inside.substr(begin, end - begin), after);
      begin = end + 1;
    }
  }
  std::vector<std::string> take() { return std::move(names_); }

 private:
  void expand_range(const std::string& before, std::string_view range, std::string_view after) {
    const size_t dash = range.find('-');
    const std::string_view low = range.substr(0, dash);
    const uint32_t first = number_of(low, list_);
    const uint32_t last = dash == std::string_view::npos ? first : number_of(range.substr(dash + 1), list_);
    if (last < first) refuse(list_, fmt::format("the range {} runs backwards", range));
    for (uint32_t number = first; number <= last; ++number) expand(fmt::format("{}{:0{}}", before, number, low.size()), after);
  }
  void add(std::string name) {
    if (name.empty() || name.ends_with("://")) refuse(list_, "a name is empty");
    if (name.find_first_of(" \t\r\n") != std::string::npos) refuse(list_, "a name has a blank in it");
    if (names_.size() == kNodesMax)
      throw Refused(GODWIT_ERR_LIMIT, fmt::format("the node list \"{}\" has more than {} nodes", list_, kNodesMax));
    names_.push_back(std::move(name));
  }

  const std::string_view list_;
  std::vector<std::string> names_;
};

// A list is in commas and lines.
std::string read_nodes(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Refused(GODWIT_ERR_IO, fmt::format("@{}: {}", path, std::strerror(errno)));
  std::string list;
  for (std::string line; std::getline(file, line);) {
    line.erase(std::min(line.find('#'), line.size()));
    line.erase(line.find_last_not_of(" \t\r,") + 1);
    line.erase(0, line.find_first_not_of(" \t"));
    if (!line.empty()) list += (list.empty() ? "" : ",") + line;
  }
  if (file.bad()) throw Refused(GODWIT_ERR_IO, fmt::format("@{} cannot be read", path));
  if (list.empty()) throw Refused(GODWIT_ERR_INVALID, fmt::format("@{} names no node", path));
  return list;
}

}  // namespace

std::vector<std::string> expand_nodes(std::string_view list) {
  Expansion expansion(list);
  for (const std::string_view term : terms_of(list)) expansion.expand("", term);
  return expansion.take();
}

std::string address_of(std::string_view node, std::string_view provider, uint32_t port) {
  const size_t scheme = node.find("://");
  std::string address = scheme == std::string_view::npos ? fmt::format("{}://{}", provider, node) : std::string(node);
  if (address.starts_with("shm://")) return address;
  const size_t host = address.find("://") + 3;
  const size_t bracket = address.rfind(']');
  if (address.find(':', bracket == std::string::npos ? host : bracket) != std::string::npos) return address;
  if (port == 0)
    throw Refused(GODWIT_ERR_INVALID, fmt::format("{} has no port: write {}:PORT, or give --port for all of them", node, node));
  return fmt::format("{}:{}", address, port);
}

std::vector<std::string> addresses_of(const std::vector<std::string>& lists, std::string_view provider, uint32_t port) {
  std::vector<std::string> addresses;
  std::unordered_set<std::string> seen;
  for (const std::string& written : lists)
    for (const std::string& node : expand_nodes(written.starts_with('@') ? read_nodes(written.substr(1)) : written)) {
      std::string address = address_of(node, provider, port);
      if (seen.insert(address).second) addresses.push_back(std::move(address));
    }
  if (addresses.size() >= kNodesMax)
    throw Refused(GODWIT_ERR_LIMIT, fmt::format("there are more than {} nodes", kNodesMax - 1));
  return addresses;
}

}  // namespace godwit::tools
