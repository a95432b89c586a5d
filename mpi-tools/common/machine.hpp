// Machine: what a report says of the host that it was made on.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace godwit::tools {

// {"host", "processor", "cores", "memory_bytes", "kernel", "load", "numa_nodes", "nics": ["eth0, 10000 Mbit/s", ...]}. What
// the system does not tell is null, or left out of the list. Any thread.
nlohmann::json machine();
// "AMD EPYC, 2 cores, Linux 6.1.0, load 0.3", of such an object.
std::string machine_line(const nlohmann::json& machine);

}  // namespace godwit::tools
