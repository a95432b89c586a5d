// Region: a client's handle to a region, which knows where the region was last and follows it.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/extent.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "client/client.hpp"
#include "client/lane.hpp"
#include "client/place.hpp"
#include "fabric/address.hpp"
#include "godwit/godwit.h"

namespace godwit::client {

// Thread-safe. The client must outlive it. Every method blocks, and can also fail as Lane::ask; errors name the region.
class Region {
 public:
  Region(Client& client, const Id& id, fabric::Address address)
      : id_(id), place_(client, std::move(address), "region " + to_string(id)) {}

  // A region of `size_bytes` zeros on the target. name empty: none. It is asked for once: after kPeerLost and kTimeout
  // nobody knows whether it exists.
  // Errors: kNoSpace, kExists, kNotFound (the target).
  static Result<Id> create(Client& client, const fabric::Address& address, const std::string& target, const std::string& name,
                           uint64_t size_bytes);
  // The same, holding `data` from its first moment.
  static Result<Id> create(Client& client, const fabric::Address& address, const std::string& target, const std::string& name,
                           std::span<const std::byte> data);
  // Where the region with this id, or this name, is. Follows it if the client does. Errors: kNotFound, kMoved.
  static Result<Region> find(Client& client, const fabric::Address& address, const Id& id, const std::string& name);
  // For find() only: nobody else holds `other`.
  Region(Region&& other) : Region(other.client(), other.id_, other.address()) {}

  const Id& id() const { return id_; }
  Client& client() const { return place_.client(); }
  fabric::Address address() const { return place_.address(); }
  // Later calls ask there first. Any thread.
  void move_to(const fabric::Address& address) { place_.move_to(address); }

  // Errors: kRange; kNotFound, erased; kMoved, if the client does not follow; kBusy, a migration stopped it for longer than
  // operation_timeout.
  Result<> write(uint64_t offset_bytes, std::span<const std::byte> data);
  Result<> read(uint64_t offset_bytes, std::span<std::byte> data);
  // Errors: as write; kPmem, kIo.
  Result<> persist(Extent extent);
  // Errors: kNotFound, kMoved.
  Result<godwit_region_info> stat();
  // Errors: kNotFound, kMoved; kBusy, it is being migrated.
  Result<> erase();
  Result<> change_mode(uint32_t mode) { return place_.change_mode(id_, mode); }

 private:
  Result<Reply> write_inline(const fabric::Address& address, uint64_t offset_bytes, std::span<const std::byte> data);
  Result<Reply> write_by_rma(const fabric::Address& address, uint64_t offset_bytes, std::span<const std::byte> data);
  Result<Reply> read_inline(const fabric::Address& address, uint64_t offset_bytes, std::span<std::byte> data);
  Result<Reply> read_by_rma(const fabric::Address& address, uint64_t offset_bytes, std::span<std::byte> data);

  const Id id_;
  Place place_;
};

}  // namespace godwit::client
