#include "common/machine.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace godwit::tools {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

json processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(std::min(line.find(':') + 2, line.size()));
  return nullptr;
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::vector<std::string> names_in(const char* directory, const std::string& prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error))
    if (entry.path().filename().string().starts_with(prefix)) names.push_back(entry.path().filename());
  std::ranges::sort(names);
  return names;
}

json nics() {
  json found = json::array();
  for (const std::string& name : names_in("/sys/class/net", "")) {
    const fs::path directory = fs::path("/sys/class/net") / name;
    const std::string megabits = first_line(directory / "speed");  // Empty or -1: the system does not know.
    const bool is_known = !megabits.empty() && megabits.front() != '-';
    found.push_back(fmt::format("{}, {}", name, is_known ? megabits + " Mbit/s" : first_line(directory / "operstate")));
  }
  for (const std::string& name : names_in("/sys/class/infiniband", ""))
    for (const std::string& port : names_in(fmt::format("/sys/class/infiniband/{}/ports", name).c_str(), "")) {
      const fs::path directory = fs::path("/sys/class/infiniband") / name / "ports" / port;
      found.push_back(
          fmt::format("{} port {}, {}, {}", name, port, first_line(directory / "state"), first_line(directory / "rate")));
    }
  return found;
}

}  // namespace

json machine() {
  utsname system{};
  uname(&system);
  double load = 0;
  std::ifstream("/proc/loadavg") >> load;
  const size_t numa_nodes = names_in("/sys/devices/system/node", "node").size();
  return {{"host", system.nodename},
          {"processor", processor_name()},
          {"cores", std::thread::hardware_concurrency()},
          {"memory_bytes", static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE))},
          {"kernel", fmt::format("{} {}", system.sysname, system.release)},
          {"load", load},
          {"numa_nodes", std::max<size_t>(numa_nodes, 1)},
          {"nics", nics()}};
}

std::string machine_line(const json& machine) {
  return fmt::format("{}, {} cores, {}, load {:.1f}",
                     machine["processor"].is_null() ? "unknown processor" : machine["processor"].get<std::string>(),
                     machine["cores"].get<unsigned>(), machine["kernel"].get<std::string>(), machine["load"].get<double>());
}

}  // namespace godwit::tools
