#include "client/region.hpp"

#include <fmt/format.h>

#include <cstring>

#include "client/to_c.hpp"
#include "client/window.hpp"

namespace godwit::client {
namespace {

using fabric::Purpose;

const uint8_t* wire_bytes(std::span<const std::byte> data) { return reinterpret_cast<const uint8_t*>(data.data()); }

// The name, as an optional field of a message.
flatbuffers::Offset<flatbuffers::String> wire_name(Lane& lane, const std::string& name) {
  return name.empty() ? flatbuffers::Offset<flatbuffers::String>() : lane.builder().CreateString(name);
}

Result<Id> created(Result<Reply> reply, const fabric::Address& address, const std::string& target) {
  const Result<Reply> region = expect<wire::RegionReply>(std::move(reply), address);
  if (!region) return with_context("creating a region on target '" + target + "'", region.error());
  const wire::RegionEntry* entry = region->body<wire::RegionReply>()->region();
  if (entry == nullptr || entry->id() == nullptr)
    return Error{Errc::kProtocol, to_string(address) + ": the daemon does not say which region it created"};
  return protocol::from_wire(entry->id());
}

}  // namespace

Result<Id> Region::create(Client& client, const fabric::Address& address, const std::string& target, const std::string& name,
                          uint64_t size_bytes) {
  const Lease lane = client.borrow();
  const auto wire_target = lane->builder().CreateString(target);
  const auto body = wire::CreateRegionCreateRequest(lane->builder(), wire_target, wire_name(*lane, name), size_bytes);
  return created(
      lane->ask(address, Purpose::kControl, lane->request(body), Repeat::kNever, transfer_deadline(client, size_bytes)),
      address, target);
}

Result<Id> Region::create(Client& client, const fabric::Address& address, const std::string& target, const std::string& name,
                          std::span<const std::byte> data) {
  if (data.size() <= client.settings().inline_bytes) {
    const Lease lane = client.borrow();
    const auto wire_target = lane->builder().CreateString(target);
    const auto optional_name = wire_name(*lane, name);
    const auto bytes = lane->builder().CreateVector(wire_bytes(data), data.size());
    const auto body = wire::CreateRegionCreateRequest(lane->builder(), wire_target, optional_name, data.size(), bytes);
    return created(lane->ask(address, lane->request(body), Repeat::kNever), address, target);
  }
  const auto domain = client.domain(address.provider);
  if (!domain) return with_context(to_string(address), domain.error());
  const Result<Window> window = Window::to_be_read(**domain, data);
  if (!window) return window.error();
  const Lease lane = client.borrow();
  const wire::Window on_wire = window->on_wire();
  const auto wire_target = lane->builder().CreateString(target);
  const auto optional_name = wire_name(*lane, name);
  const auto body = wire::CreateRegionCreateRequest(lane->builder(), wire_target, optional_name, data.size(), 0, &on_wire);
  return created(
      lane->ask(address, Purpose::kStream, lane->request(body), Repeat::kNever, transfer_deadline(client, data.size())),
      address, target);
}

Result<Region> Region::find(Client& client, const fabric::Address& address, const Id& id, const std::string& name) {
  if (!id.is_zero()) {
    Region region(client, id, address);
    if (const auto info = region.stat(); !info) return info.error();
    return region;
  }
  // A name means something on this node only: what is followed is the id that it stands for.
  const Lease lane = client.borrow();
  const Request request = lane->request(wire::CreateRegionStatRequestDirect(lane->builder(), nullptr, name.c_str()));
  Result<Reply> asked = lane->ask(address, request, Repeat::kWhenBroken);
  if (asked && asked->refusal() != nullptr && client.settings().follow)
    if (const Id moved_id = protocol::from_wire(asked->refusal()->moved_id()); !moved_id.is_zero())
      return find(client, address, moved_id, {});
  const Result<Reply> reply = expect<wire::RegionReply>(std::move(asked), address);
  if (!reply) return with_context("region '" + name + "'", reply.error());
  const wire::RegionEntry* entry = reply->body<wire::RegionReply>()->region();
  if (entry == nullptr || entry->id() == nullptr)
    return Error{Errc::kProtocol, to_string(address) + ": the daemon does not say which region it found"};
  return Region(client, protocol::from_wire(entry->id()), address);
}

Result<> Region::write(uint64_t offset_bytes, std::span<const std::byte> data) {
  const bool is_small = data.size() <= client().settings().inline_bytes;
  return place_.reach_done(WhenBusy::kWait, [&](const fabric::Address& at) {
    return is_small ? write_inline(at, offset_bytes, data) : write_by_rma(at, offset_bytes, data);
  });
}

Result<Reply> Region::write_inline(const fabric::Address& at, uint64_t offset_bytes, std::span<const std::byte> data) {
  const Lease lane = client().borrow();
  const wire::Id id = protocol::to_wire(id_);
  const auto bytes = lane->builder().CreateVector(wire_bytes(data), data.size());
  const auto body = wire::CreateRegionWriteRequest(lane->builder(), &id, offset_bytes, data.size(), bytes);
  return lane->ask(at, lane->request(body), Repeat::kWhenBroken);
}

Result<Reply> Region::write_by_rma(const fabric::Address& at, uint64_t offset_bytes, std::span<const std::byte> data) {
  const auto domain = client().domain(at.provider);
  if (!domain) return domain.error();
  const Result<Window> window = Window::to_be_read(**domain, data);  // Closed after the lane's stream has answered.
  if (!window) return window.error();
  const Lease lane = client().borrow();
  const wire::Id id = protocol::to_wire(id_);
  const wire::Window on_wire = window->on_wire();
  const auto body = wire::CreateRegionWriteRequest(lane->builder(), &id, offset_bytes, data.size(), 0, &on_wire);
  return lane->ask(at, Purpose::kStream, lane->request(body), Repeat::kWhenBroken, transfer_deadline(client(), data.size()));
}

Result<> Region::read(uint64_t offset_bytes, std::span<std::byte> data) {
  const bool is_small = data.size() <= client().settings().inline_bytes;
  const Result<Reply> reply = place_.reach(WhenBusy::kWait, [&](const fabric::Address& at) {
    return is_small ? read_inline(at, offset_bytes, data) : read_by_rma(at, offset_bytes, data);
  });
  if (!reply) return reply.error();
  const auto* answer = reply->body<wire::RegionReadReply>();
  if (answer == nullptr) return place_.about(reply->to_error(place_.address()));
  if (!is_small) return Done{};  // The bytes are in place.
  const size_t received = answer->data() == nullptr ? 0 : answer->data()->size();
  if (received != data.size())
    return place_.about(Error{Errc::kProtocol, fmt::format("{}: the daemon sent {} of {} bytes", to_string(place_.address()),
                                                           received, data.size())});
  if (received > 0) std::memcpy(data.data(), answer->data()->data(), received);
  return Done{};
}

Result<Reply> Region::read_inline(const fabric::Address& at, uint64_t offset_bytes, std::span<std::byte> data) {
  const Lease lane = client().borrow();
  const wire::Id id = protocol::to_wire(id_);
  const auto body = wire::CreateRegionReadRequest(lane->builder(), &id, offset_bytes, data.size());
  return lane->ask(at, lane->request(body), Repeat::kWhenBroken);
}

Result<Reply> Region::read_by_rma(const fabric::Address& at, uint64_t offset_bytes, std::span<std::byte> data) {
  const auto domain = client().domain(at.provider);
  if (!domain) return domain.error();
  Result<Window> window = Window::to_be_written(**domain, data);
  if (!window) return window.error();
  const Lease lane = client().borrow();
  const wire::Id id = protocol::to_wire(id_);
  const wire::Window on_wire = window->on_wire();
  const auto body = wire::CreateRegionReadRequest(lane->builder(), &id, offset_bytes, data.size(), &on_wire);
  Result<Reply> reply =
      lane->ask(at, Purpose::kStream, lane->request(body), Repeat::kWhenBroken, transfer_deadline(client(), data.size()));
  if (reply && reply->refusal() == nullptr) window->land();
  return reply;
}

Result<> Region::persist(Extent extent) {
  return place_.reach_done(WhenBusy::kWait, [&](const fabric::Address& at) {
    const Lease lane = client().borrow();
    const wire::Id id = protocol::to_wire(id_);
    const auto body = wire::CreateRegionPersistRequest(lane->builder(), &id, extent.offset_bytes, extent.length_bytes);
    return lane->ask(at, Purpose::kControl, lane->request(body), Repeat::kWhenBroken,
                     transfer_deadline(client(), extent.length_bytes));
  });
}

Result<godwit_region_info> Region::stat() {
  const Result<Reply> reply = place_.reach(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = client().borrow();
    const wire::Id id = protocol::to_wire(id_);
    return lane->ask(at, lane->request(wire::CreateRegionStatRequest(lane->builder(), &id)), Repeat::kWhenBroken);
  });
  if (!reply) return reply.error();
  const auto* answer = reply->body<wire::RegionReply>();
  if (answer == nullptr || answer->region() == nullptr) return place_.about(reply->to_error(place_.address()));
  return to_c(*answer->region());
}

Result<> Region::erase() {
  return place_.reach_done(WhenBusy::kFail, [&](const fabric::Address& at) {
    const Lease lane = client().borrow();
    const wire::Id id = protocol::to_wire(id_);
    return lane->ask(at, lane->request(wire::CreateRegionEraseRequest(lane->builder(), &id)), Repeat::kNever);
  });
}

}  // namespace godwit::client
