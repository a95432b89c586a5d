#include "client/node.hpp"

#include <algorithm>

#include "client/lane.hpp"
#include "client/to_c.hpp"

namespace godwit::client {
namespace {

constexpr uint32_t kPageRegions = 1'000;

}  // namespace

Result<double> Node::ping() {
  const Lease lane = client_.borrow();
  if (auto connected = lane->connect(address_); !connected) return std::move(connected).error();
  const Clock::time_point start = Clock::now();
  const Request request = lane->request(wire::CreatePingRequest(lane->builder()));
  const Result<Reply> reply = expect<wire::PingReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

Result<std::string> Node::doctor() {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreateDoctorRequest(lane->builder()));
  const Result<Reply> reply = expect<wire::DoctorReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  return protocol::text_of(reply->body<wire::DoctorReply>()->json());
}

Result<std::vector<godwit_target_info>> Node::targets() {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreateTargetListRequest(lane->builder()));
  const Result<Reply> reply = expect<wire::TargetListReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  std::vector<godwit_target_info> infos;
  if (const auto* entries = reply->body<wire::TargetListReply>()->targets())
    for (const wire::TargetEntry* entry : *entries) infos.push_back(to_c(*entry));
  return infos;
}

Result<godwit_target_info> Node::target(const std::string& name) {
  const Result<std::vector<godwit_target_info>> infos = targets();
  if (!infos) return infos.error();
  for (const godwit_target_info& info : *infos)
    if (info.name == name) return info;
  return Error{Errc::kNotFound, to_string(address_) + ": the node has no target '" + name + "'"};
}

Result<std::vector<godwit_region_info>> Node::regions(const std::string& target) {
  const Lease lane = client_.borrow();
  std::vector<godwit_region_info> infos;
  Id after;
  for (;;) {
    const wire::Id position = protocol::to_wire(after);
    const Request request =
        lane->request(wire::CreateRegionListRequestDirect(lane->builder(), target.c_str(), &position, kPageRegions));
    const Result<Reply> reply = expect<wire::RegionListReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
    if (!reply) return reply.error();
    const auto* page = reply->body<wire::RegionListReply>();
    if (page->regions() != nullptr)
      for (const wire::RegionEntry* entry : *page->regions()) infos.push_back(to_c(*entry));
    if (!page->more()) return infos;
    // A page that does not advance would be asked for without end.
    const Id last = infos.empty() ? Id{} : from_c(infos.back().id);
    if (last <= after) return Error{Errc::kProtocol, to_string(address_) + ": the daemon's list of regions is out of order"};
    after = last;
  }
}

Result<std::vector<godwit_job_info>> Node::jobs() {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreateJobListRequest(lane->builder()));
  const Result<Reply> reply = expect<wire::JobListReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  std::vector<godwit_job_info> infos;
  if (const auto* entries = reply->body<wire::JobListReply>()->jobs())
    for (const wire::JobEntry* entry : *entries) infos.push_back(to_c(*entry));
  return infos;
}

Result<std::string> Node::job_events(const Id& job) {
  const Lease lane = client_.borrow();
  std::string all;
  uint64_t first = 0;
  for (;;) {
    const wire::Id id = protocol::to_wire(job);
    const Request request = lane->request(wire::CreateJobEventsRequest(lane->builder(), &id, first));
    const Result<Reply> reply = expect<wire::JobEventsReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
    if (!reply) return reply.error();
    const auto* page = reply->body<wire::JobEventsReply>();
    const std::string lines = protocol::text_of(page->lines());
    all += lines;
    first += static_cast<uint64_t>(std::ranges::count(lines, '\n'));
    // A page without a line ends it, whatever the total says.
    if (first >= page->total() || lines.empty()) return all;
    if (lines.back() != '\n') return Error{Errc::kProtocol, to_string(address_) + ": the daemon's events end within a line"};
  }
}

Result<uint64_t> Node::ask_bandwidth(bool set, uint64_t bandwidth) {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreateBandwidthRequest(lane->builder(), set, bandwidth));
  const Result<Reply> reply = expect<wire::BandwidthReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  return reply->body<wire::BandwidthReply>()->bytes_per_second();
}

Result<uint64_t> Node::bandwidth() { return ask_bandwidth(false, 0); }

Result<> Node::limit(uint64_t bandwidth) {
  const auto set = ask_bandwidth(true, bandwidth);
  if (!set) return set.error();
  return Done{};
}

}  // namespace godwit::client
