#include "doctor_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "text.hpp"

namespace godwit::cli {
namespace {

constexpr int kDepthMax = 16;  // A peer's report cannot exhaust our stack.

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

std::string scalar(const std::string& key, const Json& value) {
  if (value.is_null()) return "-";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_string()) return printable(value.get<std::string>());
  if (value.is_number() && ends_with(key, "_bytes")) return format_size(value.get<double>());
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// "memlock_limit_bytes" -> "memlock limit".
std::string label(std::string key) {
  if (ends_with(key, "_bytes")) key.resize(key.size() - 6);
  std::replace(key.begin(), key.end(), '_', ' ');
  return printable(key);
}

bool is_table(const Json& json) {
  return json.is_array() && !json.empty() && std::all_of(json.begin(), json.end(), [](const Json& row) {
           return row.is_object() &&
                  std::none_of(row.begin(), row.end(), [](const Json& cell) { return cell.is_structured(); });
         });
}

std::string table_of(const Json& rows, const std::string& indent) {
  std::vector<std::string> keys;
  for (const Json& row : rows)
    for (const auto& [key, value] : row.items())
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
  std::vector<std::string> heading;
  for (const std::string& key : keys) heading.push_back(label(key));
  Table table(heading);
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    for (const std::string& key : keys) cells.push_back(row.contains(key) ? scalar(key, row[key]) : "");
    table.add(cells);
  }
  std::string out;
  std::string text = table.text();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin) + 1;
    out += indent + text.substr(begin, end - begin);
    begin = end;
  }
  return out;
}

std::string render(const Json& json, const std::string& indent, int depth);

std::string member(const std::string& key, const Json& value, const std::string& indent, int depth) {
  if (!value.is_structured()) return fmt::format("{}{}: {}\n", indent, label(key), scalar(key, value));
  if (value.empty()) return fmt::format("{}{}: none\n", indent, label(key));
  return fmt::format("{}{}:\n{}", indent, label(key), render(value, indent + "  ", depth + 1));
}

std::string render(const Json& json, const std::string& indent, int depth) {
  if (depth > kDepthMax) return indent + "...\n";
  if (is_table(json)) return table_of(json, indent);
  std::string out;
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) out += member(key, value, indent, depth);
  } else if (json.is_array()) {
    for (const Json& item : json)
      out += item.is_structured() ? render(item, indent + "- ", depth + 1) : fmt::format("{}{}\n", indent, scalar("", item));
  } else {
    out = fmt::format("{}{}\n", indent, scalar("", json));
  }
  return out;
}

}  // namespace

std::string as_text(const Json& json) { return render(json, "", 0); }

}  // namespace godwit::cli
