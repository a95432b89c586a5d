#include "pmem/machine_memory.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string>

namespace godwit::pmem {
namespace {

std::optional<uint64_t> number_in(const std::string& text) {
  uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{}) return std::nullopt;  // "max" among others.
  return value;
}

std::optional<uint64_t> number_of_file(const std::string& path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word)) return std::nullopt;
  return number_in(word);
}

// The number after `key` in a file of "key number" lines; 0 if there is none.
uint64_t field_of_file(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string word, number; file >> word >> number; file.ignore(4096, '\n'))
    if (word == key) return number_in(number).value_or(0);
  return 0;
}

struct GroupFiles {
  const char* limit;
  const char* current;
  const char* cache_prefix;  // v1 counts the whole subtree under "total_".
};
constexpr GroupFiles kVersion1{"/memory.limit_in_bytes", "/memory.usage_in_bytes", "total_"};
constexpr GroupFiles kVersion2{"/memory.max", "/memory.current", ""};

// The least room of the group at `path` under `mount` and of all its parents.
uint64_t group_room(const std::string& mount, std::string path, const GroupFiles& files) {
  uint64_t room = UINT64_MAX;
  for (;;) {
    const std::string folder = mount + path;
    const auto limit = number_of_file(folder + files.limit);
    const auto current = number_of_file(folder + files.current);
    if (limit && current) {
      const std::string prefix = files.cache_prefix;
      const uint64_t cache = field_of_file(folder + "/memory.stat", prefix + "inactive_file") +
                             field_of_file(folder + "/memory.stat", prefix + "active_file");
      const uint64_t used = *current - std::min(*current, cache);
      room = std::min(room, *limit - std::min(*limit, used));
    }
    if (path.empty() || path == "/") return room;
    path.resize(path.rfind('/'));
  }
}

}  // namespace

uint64_t available_memory_bytes(const std::string& root) {
  uint64_t available = UINT64_MAX;
  if (const uint64_t kib = field_of_file(root + "/proc/meminfo", "MemAvailable:")) available = kib * 1024;

  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (path.empty() || path.front() != '/' || path.find("/..") != std::string::npos) continue;
    if (controllers == ",,")
      available = std::min(available, group_room(root + "/sys/fs/cgroup", path, kVersion2));
    else if (controllers.find(",memory,") != std::string::npos)
      available = std::min(available, group_room(root + "/sys/fs/cgroup/memory", path, kVersion1));
  }
  return available;
}

uint64_t available_memory_bytes() { return available_memory_bytes(""); }

}  // namespace godwit::pmem
