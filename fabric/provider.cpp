#include "fabric/provider.hpp"

#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <string_view>

#include "fabric/endpoint_name.hpp"
#include "fabric/failure.hpp"
#include "fabric/rdma_port.hpp"

namespace godwit::fabric {

namespace {

// Providers that move bytes with the processor, through the kernel or shared memory: not RDMA.
constexpr std::array<std::string_view, 6> kSoftware = {"tcp", "shm", "sockets", "udp", "net", "psm3"};
// Superseded (sockets), unreliable (udp) or experimental (net): only when somebody asks by name.
constexpr std::array<std::string_view, 3> kOnlyByName = {"sockets", "udp", "net"};

// "tcp" of "tcp;ofi_rxm".
std::string_view core_of(std::string_view name) { return name.substr(0, name.find(';')); }

template <size_t N>
bool contains(const std::array<std::string_view, N>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_rdma(std::string_view name) { return !contains(kSoftware, core_of(name)); }

// Layers over other providers, and debugging hooks.
bool is_layer(std::string_view name) { return name.starts_with("ofi_"); }

// libfabric reads its environment at the first fi_getinfo, and there is no other way to set these. What the operator set stays.
void prepare_environment() {
  static std::once_flag once;
  std::call_once(once, [] {
    // No MR cache, so no hooks into malloc and munmap of the program that links us: we register once and keep.
    setenv("FI_MR_CACHE_MONITOR", "disabled", 0);
    // Without a shared receive context, closing an rxm endpoint with a receive queued is a use after free.
    setenv("FI_OFI_RXM_USE_SRX", "1", 0);
  });
}

InfoPtr make_hints(fi_ep_type type, const std::string& provider) {
  InfoPtr hints(fi_allocinfo());
  if (!hints) return hints;
  hints->caps = FI_MSG | FI_RMA;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = type;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY;
  hints->domain_attr->threading = FI_THREAD_SAFE;  // One domain, many threads, each with a hub.
  hints->domain_attr->resource_mgmt = FI_RM_ENABLED;
  // The owner of a hub polls: no thread of the provider's, which would cost a core or a context switch per operation.
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  hints->tx_attr->msg_order = FI_ORDER_SAS;
  hints->rx_attr->msg_order = FI_ORDER_SAS;
  if (!provider.empty()) hints->fabric_attr->prov_name = strdup(provider.c_str());
  return hints;
}

struct Found {
  InfoPtr list;
  int code = 0;  // Of fi_getinfo.
};

Found get_infos(fi_ep_type type, const std::string& provider, const std::string& location) {
  const InfoPtr hints = make_hints(type, provider);
  if (!hints) return {nullptr, -FI_ENOMEM};
  fi_info* list = nullptr;
  int code = 0;
  const auto version = FI_VERSION(1, 17);
  if (location.empty()) {
    code = fi_getinfo(version, nullptr, nullptr, 0, hints.get(), &list);
  } else {
    std::string host = location;
    if (core_of(provider) != "shm") {
      auto parts = split_host_port(location);
      if (!parts) return {nullptr, -FI_EINVAL};
      host = parts->first;
    }
    // No port here: a domain is bound to an interface, a listener to a port.
    code =
        fi_getinfo(version, host.empty() ? nullptr : host.c_str(), nullptr, host.empty() ? 0 : FI_SOURCE, hints.get(), &list);
  }
  return {InfoPtr(list), code};
}

// Smaller is better; negative: never.
int rank(const fi_info& info, const ProviderQuery& query) {
  const std::string_view name = info.fabric_attr->prov_name;
  if (is_layer(name) || name.find("ofi_hook") != name.npos) return -1;
  if (!query.provider.empty()) return name == query.provider ? 1 : -1;
  if (contains(kOnlyByName, core_of(name)) || name.find(';') != name.npos) return -1;
  const bool msg = info.ep_attr->type == FI_EP_MSG;
  if (is_rdma(name)) return msg ? 1 : 2;
  return msg ? 3 : 4;
}

// The NUMA node of the processor that runs us; memory that this thread has touched is likely there. Negative: unknown.
int numa_node_here() {
  unsigned processor = 0;
  unsigned node = 0;
  return getcpu(&processor, &node) == 0 ? static_cast<int>(node) : -1;
}

// Whether `a` is on a better port of this machine than `b`; of what is no RDMA device, never.
bool is_on_better_port(const fi_info& a, const fi_info& b) {
  static const std::vector<RdmaPort> ports = rdma_ports();
  const int here = numa_node_here();
  const auto best_port_of = [&](const fi_info& info) {
    const char* device = info.domain_attr->name;
    const RdmaPort* best = nullptr;
    for (const RdmaPort& port : ports)
      if (device && port.device == device && (!best || is_better(port, *best, here))) best = &port;
    return best;
  };
  const RdmaPort* port_a = best_port_of(a);
  const RdmaPort* port_b = best_port_of(b);
  return port_a && port_b && is_better(*port_a, *port_b, here);
}

ProviderChoice make_choice(const fi_info& info, const ProviderQuery& query) {
  ProviderChoice choice{InfoPtr(fi_dupinfo(&info)),
                        info.ep_attr->type == FI_EP_MSG ? Backend::kMsg : Backend::kRdm,
                        info.fabric_attr->prov_name,
                        {}};
  const bool rdma = is_rdma(choice.name);
  const std::string device = info.domain_attr->name ? info.domain_attr->name : "?";
  choice.explanation = choice.name + " over " + (choice.backend == Backend::kMsg ? "MSG" : "RDM") + " endpoints on " + device;
  if (query.location.empty() && !rdma && choice.info) {
    // An interface that was merely listed first must not become everybody's source address.
    free(choice.info->src_addr);
    choice.info->src_addr = nullptr;
    choice.info->src_addrlen = 0;
    choice.explanation = choice.name + " over " + (choice.backend == Backend::kMsg ? "MSG" : "RDM") + " endpoints";
  } else if (!query.location.empty()) {
    choice.explanation += " (" + query.location + ")";
  }
  if (!rdma) choice.explanation += ": not RDMA";
  return choice;
}

// "; rxe0 port 1 is down": libfabric leaves out a device whose ports are not active, without a word.
std::string port_states() {
  std::string text;
  for (const RdmaPort& port : rdma_ports())
    text += "; " + port.device + " port " + std::to_string(port.number) + " is " + port.state;
  return text;
}

std::string why_nothing(const std::string& provider, int msg_code, int rdm_code) {
  const auto text = [](int code) { return code == 0 ? std::string("nothing that fits") : std::string(fi_strerror(-code)); };
  std::string reason = (provider.empty() ? "any provider" : "'" + provider + "'") + ": MSG endpoints: " + text(msg_code) +
                       "; RDM endpoints: " + text(rdm_code);
  std::error_code ignored;
  if (core_of(provider) == "verbs" && !std::filesystem::exists("/sys/class/infiniband", ignored)) {
    reason += "; this machine has no RDMA device (/sys/class/infiniband does not exist)";
  } else if (core_of(provider) == "verbs") {
    reason += port_states();
  }
  return reason;
}

}  // namespace

Result<ProviderChoice> choose_provider(const ProviderQuery& query) {
  prepare_environment();
  const Found msg = get_infos(FI_EP_MSG, query.provider, query.location);
  const Found rdm = get_infos(FI_EP_RDM, query.provider, query.location);
  const fi_info* best = nullptr;
  int best_rank = 0;
  std::string refused;
  for (const fi_info* list : {msg.list.get(), rdm.list.get()}) {
    for (const fi_info* info = list; info; info = info->next) {
      const int found = rank(*info, query);
      if (found < 0) continue;
      if (query.require_rdma && !is_rdma(info->fabric_attr->prov_name)) {
        const std::string name = info->fabric_attr->prov_name;
        if (refused.find("'" + name + "'") == refused.npos) refused += "; '" + name + "' is not RDMA";
        continue;
      }
      const bool better = !best || found < best_rank ||
                          (found == best_rank && query.location.empty() && is_rdma(info->fabric_attr->prov_name) &&
                           is_on_better_port(*info, *best));
      if (better) best = info, best_rank = found;
    }
  }
  if (!best) {
    return Error{Errc::kUnsupported, "no usable fabric provider" +
                                         (query.location.empty() ? "" : " at '" + query.location + "'") + ": " +
                                         why_nothing(query.provider, msg.code, rdm.code) + refused};
  }
  ProviderChoice choice = make_choice(*best, query);
  if (!choice.info) return Error{Errc::kMemory, "fi_dupinfo: no memory"};
  return choice;
}

std::vector<ProviderReport> report_providers() {
  prepare_environment();
  std::vector<ProviderReport> reports;
  fi_info* list = nullptr;
  if (fi_getinfo(FI_VERSION(1, 17), nullptr, nullptr, FI_PROV_ATTR_ONLY, nullptr, &list) != 0) list = nullptr;
  const InfoPtr owner(list);
  std::vector<std::string> names{"verbs"};  // Absent from libfabric's list where it found no device.
  for (const fi_info* info = list; info; info = info->next) {
    const std::string name = info->fabric_attr->prov_name;
    if (!is_layer(name) && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  for (const std::string& name : names) {
    ProviderReport report{name, false, is_rdma(name), {}, {}};
    const auto choice = choose_provider(ProviderQuery{name, {}, false});
    if (choice) {
      report.usable = true;
      report.backend = choice->backend == Backend::kMsg ? "MSG" : "RDM";
      report.reason = choice->explanation;
    } else {
      report.reason = choice.error().text;
    }
    rlimit limit{};
    if (report.is_rdma && getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
      report.reason += "; the memlock limit is " + std::to_string(limit.rlim_cur >> 10) + " KiB (ulimit -l)";
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace godwit::fabric
