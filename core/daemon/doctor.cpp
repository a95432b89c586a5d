// The doctor: what this machine offers, and what hides it.
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/units.hpp"
#include "daemon/node.hpp"
#include "daemon/version.hpp"
#include "fabric/provider.hpp"
#include "fabric/rdma_port.hpp"
#include "fabric/version.hpp"

namespace godwit::daemon {
namespace {

using nlohmann::json;

constexpr uint64_t kPageBytes = 4096;

json limit_of(decltype(RLIMIT_MEMLOCK) resource) {
  rlimit limit{};
  getrlimit(resource, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return limit.rlim_cur;
}

json providers() {
  json list = json::array();
  for (const fabric::ProviderReport& report : fabric::report_providers())
    list.push_back({{"name", report.name},
                    {"usable", report.usable},
                    {"rdma", report.is_rdma},
                    {"backend", report.backend},
                    {"reason", report.reason}});
  return list;
}

json rdma_ports() {
  json list = json::array();
  for (const fabric::RdmaPort& port : fabric::rdma_ports())
    list.push_back({{"device", port.device},
                    {"port", port.number},
                    {"state", port.state},
                    {"link_layer", port.link_layer},
                    {"gigabits_per_second", port.gigabits_per_second},
                    {"on_demand_paging", port.on_demand_paging},
                    {"numa_node", port.numa_node}});
  return list;
}

// Whether the processor's capability to lock more than the limit is ours; root may have been stripped of it.
bool may_lock_all() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word) {
    if (word != "CapEff:") continue;
    uint64_t capabilities = 0;
    status >> std::hex >> capabilities;
    return (capabilities >> CAP_IPC_LOCK & 1) != 0;
  }
  return false;
}

// "verbs: direct", or "verbs: staged, because ...": what a migration would find out by trying, tried on one page.
std::string way_of(Node& node, pmem::Target& target) {
  std::string text;
  for (const std::string& listening : node.addresses) {  // One a provider.
    auto address = fabric::parse_address(listening);
    auto domain = address ? node.domains.of(*address) : Result<std::shared_ptr<fabric::Domain>>(address.error());
    if (!domain) continue;
    text += (text.empty() ? "" : "; ") + (*domain)->provider();
    const auto memory = target.memory({0, std::min<uint64_t>(kPageBytes, target.usage().capacity_bytes)});
    if (memory.empty()) {
      text += fmt::format(": staged, because it is a {} target", to_string(target.kind()));
    } else if (auto registered = (*domain)->register_memory(memory, fabric::Access::kLocal); registered) {
      text += ": direct";
    } else {
      text += ": staged, because " + registered.error().text;
    }
  }
  return text;
}

json targets_of(const Settings& settings, Node* node) {
  json list = json::array();
  if (node == nullptr) {
    for (const pmem::TargetSettings& target : settings.targets)
      list.push_back({{"name", target.name},
                      {"kind", to_string(target.kind)},
                      {"path", target.path},
                      {"granularity", target.path.empty() ? "" : pmem::probe_granularity(target.path)}});
    return list;
  }
  for (const auto& target : node->store->targets()) {
    const pmem::Usage usage = target->usage();
    list.push_back({{"name", target->name()},
                    {"kind", to_string(target->kind())},
                    {"path", target->settings().path},
                    {"granularity", target->granularity()},
                    {"way", way_of(*node, *target)},
                    {"capacity_bytes", usage.capacity_bytes},
                    {"used_bytes", usage.used_bytes}});
  }
  return list;
}

}  // namespace

std::string doctor_json(const Settings& settings, Node* node) {
  utsname machine{};
  uname(&machine);
  json topology;
  if (node != nullptr) {
    topology = node->topology->describe();
  } else if (auto loaded = Topology::load(pinning_from(settings.pinning), ""); loaded) {
    topology = (*loaded)->describe();
  } else {
    topology = {{"error", loaded.error().text}};
  }
  json report{{"version", kVersion},
              {"host", machine.nodename},
              {"kernel", machine.release},
              {"topology", topology},
              {"libfabric", fabric::libfabric_version()},
              {"providers", providers()},
              {"rdma_ports", rdma_ports()},
              {"memlock_limit_bytes", limit_of(RLIMIT_MEMLOCK)},
              {"memlock_bypassed", may_lock_all()},
              {"open_files_limit", limit_of(RLIMIT_NOFILE)},
              {"tmp_granularity", pmem::probe_granularity("/tmp")},
              {"targets", targets_of(settings, node)}};
  if (node != nullptr) {
    report["addresses"] = node->addresses;
    report["metrics"] = node->metrics_url.empty() ? "off" : node->metrics_url;
    report["registered_bytes"] = node->domains.registered_bytes();
  }
  return report.dump(-1, ' ', false, json::error_handler_t::replace);  // Paths need not be UTF-8.
}

std::string doctor_text(const std::string& text) {
  const json report = json::parse(text);
  const json& topology = report["topology"];
  std::string out = fmt::format("Godwit {} on {} (Linux {})\n", report["version"].get<std::string>(),
                                report["host"].get<std::string>(), report["kernel"].get<std::string>());
  if (topology.contains("error")) {
    out += fmt::format("topology: {}\n", topology["error"].get<std::string>());
  } else {
    out += fmt::format("topology: processors {}\n", topology["processors"].get<std::string>());
    for (const json& node : topology["numa_nodes"])
      out += fmt::format("  NUMA node {}: processors {}, {}\n", node["node"].get<unsigned>(),
                         node["processors"].get<std::string>(), format_size(node["memory_bytes"].get<uint64_t>()));
    out += fmt::format("pinning: {}, threads on {}\n", topology["pinning"].get<std::string>(),
                       topology["threads_on"].get<std::string>());
  }
  const json& memlock = report["memlock_limit_bytes"];
  out += fmt::format("memlock limit: {}{}\n",
                     memlock.is_string() ? memlock.get<std::string>() : format_size(memlock.get<uint64_t>()),
                     report["memlock_bypassed"].get<bool>() ? " (this process is not held to it)" : "");
  out += "providers:\n";
  for (const json& provider : report["providers"])
    out += fmt::format("  {:<14} {:<10} {:<8} {}\n", provider["name"].get<std::string>(),
                       provider["usable"].get<bool>() ? "usable" : "unusable",
                       provider["rdma"].get<bool>() ? "RDMA" : "no RDMA", provider["reason"].get<std::string>());
  for (const json& port : report["rdma_ports"])
    out += fmt::format(
        "RDMA port {} {}: {} {}, {:.0f} Gbit/s, {}, {} on-demand paging\n", port["device"].get<std::string>(),
        port["port"].get<unsigned>(), port["link_layer"].get<std::string>(), port["state"].get<std::string>(),
        port["gigabits_per_second"].get<double>(),
        port["numa_node"].get<int>() < 0 ? "no NUMA node" : fmt::format("NUMA node {}", port["numa_node"].get<int>()),
        port["on_demand_paging"].get<bool>() ? "with" : "no");
  out += fmt::format("a pool in /tmp would have: {}\n", report["tmp_granularity"].get<std::string>());
  for (const json& target : report["targets"])
    out += fmt::format("target '{}': {} {} {}{}\n", target["name"].get<std::string>(), target["kind"].get<std::string>(),
                       target["path"].get<std::string>(), target["granularity"].get<std::string>(),
                       target.contains("way") ? "; over " + target["way"].get<std::string>() : std::string());
  return out;
}

}  // namespace godwit::daemon
