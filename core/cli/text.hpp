// Text: sizes, times and tables for people, and what strangers wrote made safe to print.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::cli {

// The text with control characters, invalid UTF-8 and direction overrides as \xNN: a peer cannot drive the terminal.
std::string printable(std::string_view text);

// "4096", "64KiB", "2G" (binary), "1.5MB" (decimal), case ignored, in bytes. Nothing if it is not a size below 2^63 (bytes
// alone: 2^64).
std::optional<uint64_t> parse_size(std::string_view text);
// "1.50 GiB".
std::string format_size(double bytes);
// "640" and "0640" are 0640. Nothing if it is not octal, or has bits that are none of 0666.
std::optional<uint32_t> parse_mode(std::string_view text);
// "0640 (rw-r-----)".
std::string format_mode(uint32_t mode);
// "0.8 s", "4:05", "1:02:03".
std::string format_seconds(double seconds);

// Rows of cells, aligned in columns; the first row is the heading. Cells are made printable.
class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace godwit::cli
