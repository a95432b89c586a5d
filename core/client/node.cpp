#include "client/node.hpp"

#include <algorithm>

#include "client/lane.hpp"
#include "client/place.hpp"
#include "client/to_c.hpp"

namespace godwit::client {
namespace {

constexpr uint32_t kPageRegions = 1'000;
constexpr uint8_t kAllKinds =
    1u << static_cast<unsigned>(wire::PlaceKind::region) | 1u << static_cast<unsigned>(wire::PlaceKind::database) |
    1u << static_cast<unsigned>(wire::PlaceKind::job) | 1u << static_cast<unsigned>(wire::PlaceKind::fileset) |
    1u << static_cast<unsigned>(wire::PlaceKind::plan);

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

// Whether there are more. `page` gets the regions after `after`.
Result<bool> Node::region_page(const std::string& target, const Id& after, std::vector<godwit_region_info>& page) {
  const Lease lane = client_.borrow();
  const wire::Id position = protocol::to_wire(after);
  const Request request =
      lane->request(wire::CreateRegionListRequestDirect(lane->builder(), target.c_str(), &position, kPageRegions));
  const Result<Reply> reply = expect<wire::RegionListReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  const auto* list = reply->body<wire::RegionListReply>();
  page.clear();
  if (list->regions() != nullptr)
    for (const wire::RegionEntry* entry : *list->regions()) page.push_back(to_c(*entry));
  return list->more();
}

Result<> Node::each_region(const std::string& target, const std::function<bool(const godwit_region_info&)>& take) {
  std::vector<godwit_region_info> page;
  Id after;
  for (;;) {
    const auto more = region_page(target, after, page);
    if (!more) return more.error();
    for (const godwit_region_info& info : page)
      if (!take(info)) return Done{};
    if (!*more) return Done{};
    // A page that does not advance would be asked for without end.
    const Id last = page.empty() ? Id{} : from_c(page.back().id);
    if (last <= after) return Error{Errc::kProtocol, to_string(address_) + ": the daemon's list of regions is out of order"};
    after = last;
  }
}

Result<std::vector<godwit_region_info>> Node::regions(const std::string& target) {
  std::vector<godwit_region_info> infos;
  const auto listed = each_region(target, [&](const godwit_region_info& info) {
    infos.push_back(info);
    return true;
  });
  if (!listed) return listed.error();
  return infos;
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
  Place place(client_, address_, "job " + to_string(job), Follow::kAlways);
  std::string all;
  uint64_t first = 0;
  for (;;) {
    const Result<Reply> reply = place.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
      const Lease lane = client_.borrow();
      const wire::Id id = protocol::to_wire(job);
      return lane->ask(at, lane->request(wire::CreateJobEventsRequest(lane->builder(), &id, first)), Repeat::kWhenBroken);
    });
    if (!reply) return reply.error();
    const auto* page = reply->body<wire::JobEventsReply>();
    if (page == nullptr) return place.about(reply->to_error(place.address()));
    const std::string lines = protocol::text_of(page->lines());
    all += lines;
    first += static_cast<uint64_t>(std::ranges::count(lines, '\n'));
    // A page without a line ends it, whatever the total says.
    if (first >= page->total() || lines.empty()) return all;
    if (lines.back() != '\n')
      return Error{Errc::kProtocol, to_string(place.address()) + ": the daemon's events end within a line"};
  }
}

Result<std::vector<godwit_member>> Node::group() {
  const Lease lane = client_.borrow();
  const Request request = lane->request(wire::CreateGroupRequest(lane->builder()));
  const Result<Reply> reply = expect<wire::GroupReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  std::vector<godwit_member> members;
  if (const auto* entries = reply->body<wire::GroupReply>()->members())
    for (const wire::MemberEntry* entry : *entries) members.push_back(to_c(*entry));
  return members;
}

std::vector<godwit_job_info> Node::jobs_of(std::vector<godwit_member>& members) {
  std::vector<godwit_job_info> all;
  for (godwit_member& member : members) {
    if (member.error != GODWIT_OK) continue;
    const auto address = fabric::parse_address(member.address);
    const auto jobs = address ? Node(client_, *address).jobs() : Result<std::vector<godwit_job_info>>(address.error());
    if (!jobs) {
      note(member, jobs.error());
      continue;
    }
    all.insert(all.end(), jobs->begin(), jobs->end());
  }
  return all;
}

Result<godwit_place> Node::locate(const Id& id, const std::string& name) {
  const Lease lane = client_.borrow();
  const wire::Id wire_id = protocol::to_wire(id);
  constexpr bool kAlone = false;
  const Request request =
      lane->request(wire::CreateLocateRequestDirect(lane->builder(), &wire_id, name.c_str(), kAllKinds, kAlone));
  const Result<Reply> reply = expect<wire::LocateReply>(lane->ask(address_, request, Repeat::kWhenBroken), address_);
  if (!reply) return reply.error();
  const auto* places = reply->body<wire::LocateReply>()->places();
  if (places == nullptr || places->size() == 0)
    return Error{Errc::kNotFound,
                 to_string(address_) + ": the node has no " + (name.empty() ? to_string(id) : "'" + name + "'")};
  return to_c(*places->Get(0));
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
