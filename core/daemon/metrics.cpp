#include "daemon/metrics.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <prometheus/metric_family.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <limits>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "daemon/group.hpp"
#include "daemon/version.hpp"
#include "engine/totals.hpp"
#include "fabric/address.hpp"
#include "fabric/endpoint_name.hpp"

namespace godwit::daemon {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Of the HTTP server, besides the one that accepts. Strangers that open connections and stay silent hold one each, for so long.
constexpr int kHttpThreads = 2;
constexpr int kRequestTimeoutMs = 1000;
// From the node's own port to that of its metrics: far enough from where its neighbours may listen.
constexpr uint32_t kPortOffset = 2000;

using Labels = std::vector<ClientMetric::Label>;

ClientMetric& add(MetricFamily& family, Labels labels) {
  ClientMetric& metric = family.metric.emplace_back();
  metric.label = std::move(labels);
  return metric;
}

// One family whose metrics are numbers.
class Family {
 public:
  Family(std::vector<MetricFamily>& all, const char* name, MetricType type, const char* help)
      : family_(all.emplace_back(MetricFamily{name, help, type, {}})) {}

  Family& with(double value, Labels labels = {}) {
    ClientMetric& metric = add(family_, std::move(labels));
    if (family_.type == MetricType::Counter)
      metric.counter.value = value;
    else
      metric.gauge.value = value;
    return *this;
  }
  template <class Number>
  requires std::is_integral_v<Number> Family& with(Number value, Labels labels = {}) {
    return with(static_cast<double>(value), std::move(labels));
  }

 private:
  MetricFamily& family_;  // Lives until the next one is made.
};

void add_histogram(std::vector<MetricFamily>& all, const char* name, const char* help, const engine::Histogram& histogram) {
  const auto now = histogram.snapshot();
  MetricFamily& family = all.emplace_back(MetricFamily{name, help, MetricType::Histogram, {}});
  ClientMetric::Histogram& out = add(family, {}).histogram;
  for (size_t i = 0; i < now.counts.size(); ++i) {
    out.sample_count += now.counts[i];
    const bool is_bound = i < engine::Histogram::kBounds.size();
    out.bucket.push_back(
        {out.sample_count, is_bound ? engine::Histogram::kBounds[i] : std::numeric_limits<double>::infinity()});
  }
  out.sample_sum = now.sum_seconds;
}

// Counts nothing itself: it reads what the daemon counts anyhow, at each scrape.
class Collector final : public prometheus::Collectable {
 public:
  explicit Collector(Node& node) : node_(node), totals_(*node.settings.engine.totals) {}

  std::vector<MetricFamily> Collect() const override {
    std::vector<MetricFamily> all;
    Family(all, "godwit_build_info", MetricType::Gauge, "The daemon's version; always 1.").with(1, {{"version", kVersion}});
    add_blocks(all);
    add_jobs(all);
    add_node(all);
    return all;
  }

 private:
  void add_blocks(std::vector<MetricFamily>& all) const {
    const Labels sent{{"direction", "sent"}}, received{{"direction", "received"}};
    Family(all, "godwit_moved_bytes_total", MetricType::Counter,
           "Bytes of migrations that were verified at their destination, by direction: sent by this node, or received.")
        .with(totals_.sent.bytes.load(), sent)
        .with(totals_.received.bytes.load(), received);
    Family(all, "godwit_moved_blocks_total", MetricType::Counter,
           "Blocks of migrations that were verified at their destination, by direction.")
        .with(totals_.sent.blocks.load(), sent)
        .with(totals_.received.blocks.load(), received);
    Family(all, "godwit_blocks_resent_total", MetricType::Counter, "Blocks that this node had to send once more.")
        .with(totals_.blocks_resent.load());
    Family(all, "godwit_digests_failed_total", MetricType::Counter,
           "Blocks that arrived with another digest than they left with, by direction.")
        .with(totals_.sent.digests_failed.load(), sent)
        .with(totals_.received.digests_failed.load(), received);
  }

  void add_jobs(std::vector<MetricFamily>& all) const {
    using model::Phase;
    constexpr std::array kPhases{Phase::kPlanning,   Phase::kPreSync, Phase::kSync,   Phase::kCutover,
                                 Phase::kValidation, Phase::kCleanup, Phase::kPaused, Phase::kInDoubt};
    std::map<Phase, uint64_t> counts;
    for (const auto& job : node_.jobs->list()) ++counts[job->phase()];
    Family jobs(all, "godwit_jobs", MetricType::Gauge,
                "Migrations with this node as their source that have not ended, by phase; those that wait are planning.");
    for (const Phase phase : kPhases) jobs.with(counts[phase], {{"phase", std::string(to_string(phase))}});
    const auto load = node_.jobs->load();
    Family(all, "godwit_jobs_queued", MetricType::Gauge, "Migrations that wait for their turn at this node.").with(load.queued);
    Family(all, "godwit_jobs_running", MetricType::Gauge, "Migrations with this node as their source that have begun.")
        .with(load.running);
    Family(all, "godwit_jobs_ended_total", MetricType::Counter,
           "Migrations with this node as their source that have ended, by outcome.")
        .with(totals_.jobs_done.load(), {{"outcome", "done"}})
        .with(totals_.jobs_failed.load(), {{"outcome", "failed"}})
        .with(totals_.jobs_cancelled.load(), {{"outcome", "cancelled"}})
        .with(totals_.jobs_rolled_back.load(), {{"outcome", "rolled back"}});
    using model::DestinationState;
    auto inbound = node_.inbound->count();
    Family(all, "godwit_jobs_inbound", MetricType::Gauge,
           "Migrations with this node as their destination that their source has not released, by state.")
        .with(inbound[DestinationState::kReceiving], {{"state", "receiving"}})
        .with(inbound[DestinationState::kPrepared], {{"state", "prepared"}})
        .with(inbound[DestinationState::kOwner], {{"state", "owner"}})
        .with(inbound[DestinationState::kAborted], {{"state", "aborted"}});
    add_histogram(all, "godwit_queue_wait_seconds", "From the request of a migration to its first step.", totals_.queue_wait);
    add_histogram(all, "godwit_job_seconds", "From the request of a migration, or the daemon's restart, to its end.",
                  totals_.job_time);
    add_histogram(all, "godwit_writers_stopped_seconds",
                  "From stopping an object's writers to the end of the migration, whatever its outcome.",
                  totals_.writers_stopped);
  }

  void add_node(std::vector<MetricFamily>& all) const {
    Family(all, "godwit_sessions", MetricType::Gauge, "Clients that are connected.").with(totals_.sessions.load());
    Family(all, "godwit_requests_queued", MetricType::Gauge, "Requests that wait for a thread, by what they need it for.")
        .with(node_.workers->queued(), {{"for", "disk"}})
        .with(node_.group ? node_.group->queued() : 0, {{"for", "group"}});
    Family(all, "godwit_streams", MetricType::Gauge, "Streams that carry blocks now, by kind: what this node is on them.")
        .with(totals_.source_streams.load(), {{"kind", "source"}})
        .with(totals_.sink_streams.load(), {{"kind", "destination"}})
        .with(node_.streams->running(), {{"kind", "client"}});
    Family(all, "godwit_registered_memory_bytes", MetricType::Gauge, "Memory that is registered with the fabric.")
        .with(node_.domains.registered_bytes());
    Family(all, "godwit_bandwidth_limit_bytes_per_second", MetricType::Gauge,
           "What the node may send as the source of all its migrations; 0: no limit.")
        .with(node_.jobs->pace().limit());
    std::vector<std::pair<Labels, pmem::Usage>> targets;
    for (const auto& target : node_.store->targets())
      targets.emplace_back(Labels{{"target", target->name()}, {"kind", std::string(to_string(target->kind()))}},
                           target->usage());
    Family capacity(all, "godwit_target_capacity_bytes", MetricType::Gauge, "What a target can hold.");
    for (const auto& [labels, usage] : targets) capacity.with(usage.capacity_bytes, labels);
    Family used(all, "godwit_target_used_bytes", MetricType::Gauge, "What is reserved on a target.");
    for (const auto& [labels, usage] : targets) used.with(usage.used_bytes, labels);
  }

  Node& node_;
  const engine::Totals& totals_;
};

// A socket and where it is to be bound, or connected.
class Socket {
 public:
  // Errors: kConfig, not an address in digits, or of a kind that this machine has not.
  static Result<Socket> open(const std::string& address, int flags) {
    const auto parts = fabric::split_host_port(address);
    if (!parts) return parts.error();
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int failed = getaddrinfo(parts->first.c_str(), parts->second.c_str(), &hints, &found); failed != 0)
      return Error{Errc::kConfig, fmt::format("{}: {}", address, gai_strerror(failed))};
    Socket socket(found, ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | flags, 0));
    if (socket.descriptor_ < 0) return error_from_errno(Errc::kConfig, address, errno);
    return socket;
  }
  Socket(Socket&& other) noexcept : name_(std::move(other.name_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  ~Socket() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  // Whether it could be bound; else errno says why.
  bool bind() const {
    const int on = 1;
    return setsockopt(descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
           ::bind(descriptor_, name_->ai_addr, name_->ai_addrlen) == 0;
  }
  void connect() const { (void)::connect(descriptor_, name_->ai_addr, name_->ai_addrlen); }

 private:
  Socket(addrinfo* name, int descriptor) : name_(name, &freeaddrinfo), descriptor_(descriptor) {}
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> name_;
  int descriptor_;
};

// Whether one could listen there: the HTTP server tells that it cannot, not why.
Result<> try_to_listen(const std::string& address) {
  const auto socket = Socket::open(address, 0);
  if (!socket) return socket.error();
  if (socket->bind()) return Done{};
  if (errno == EADDRINUSE) return Error{Errc::kConfig, fmt::format("{}: another program listens there", address)};
  return error_from_errno(Errc::kConfig, address, errno);
}

// Derived from the node's own port; empty: it has none.
std::string derived_address(const Settings& settings) {
  for (const std::string& listen : settings.listen) {
    const auto address = fabric::parse_address(listen);
    if (!address || address->provider == "shm") continue;  // Any text is a name there.
    const auto parts = fabric::split_host_port(address->location);
    uint32_t port = 0;
    if (!parts || std::from_chars(parts->second.data(), parts->second.data() + parts->second.size(), port).ec != std::errc{})
      continue;
    return port == 0 || port + kPortOffset > 65535 ? "" : fmt::format("127.0.0.1:{}", port + kPortOffset);
  }
  return "";
}

}  // namespace

Metrics::~Metrics() {
  if (!exposer_) return;
  // The server sees that it has to stop when somebody connects, or after two seconds.
  std::atomic<bool> has_stopped{false};
  std::thread stranger([&] {
    for (; !has_stopped; std::this_thread::sleep_for(std::chrono::milliseconds(5)))
      if (const auto socket = Socket::open(address_, SOCK_NONBLOCK); socket) socket->connect();
  });
  exposer_.reset();
  has_stopped = true;
  stranger.join();
}

Result<std::unique_ptr<Metrics>> Metrics::start(Node& node) {
  std::unique_ptr<Metrics> none;
  if (node.settings.metrics == "off") return none;
  const bool is_derived = node.settings.metrics == "auto";
  const std::string address = is_derived ? derived_address(node.settings) : node.settings.metrics;
  if (address.empty()) {
    log::info("no metrics: no port to derive theirs from; the setting `metrics` gives one");
    return none;
  }
  const auto refuse = [&](Error error) -> Result<std::unique_ptr<Metrics>> {
    if (!is_derived) return with_context("metrics", std::move(error));
    log::warn("no metrics: {}; the setting `metrics` gives another address, or `off`", error.text);
    return std::unique_ptr<Metrics>();
  };
  if (auto free = try_to_listen(address); !free) return refuse(std::move(free).error());
  std::unique_ptr<Metrics> metrics(new Metrics);
  metrics->collector_ = std::make_shared<Collector>(node);
  try {
    metrics->exposer_ = std::make_unique<prometheus::Exposer>(
        std::vector<std::string>{"listening_ports", address, "num_threads", std::to_string(kHttpThreads), "request_timeout_ms",
                                 std::to_string(kRequestTimeoutMs)});
    metrics->exposer_->RegisterCollectable(metrics->collector_);
  } catch (const std::exception& failure) {
    return refuse(Error{Errc::kConfig, fmt::format("{}: {}", address, failure.what())});
  }
  const std::string host = address.substr(0, address.rfind(':'));
  metrics->address_ = fmt::format("{}:{}", host, metrics->exposer_->GetListeningPorts().at(0));
  node.metrics_url = fmt::format("http://{}/metrics", metrics->address_);
  log::info("metrics at {}", node.metrics_url);
  return metrics;
}

}  // namespace godwit::daemon
