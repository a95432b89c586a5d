// godwit.h: regions.
#include <cstdint>
#include <cstring>
#include <span>

#include "client/c_boundary.hpp"
#include "client/handles.hpp"
#include "client/node.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using godwit::Done;
using godwit::Errc;
using godwit::Error;
using godwit::Extent;
using godwit::Id;
using godwit::Result;
using namespace godwit::client;

namespace {

// Memory from a C caller. Errors: kInvalid, NULL though it is not empty, or more than an address space holds.
Result<> check_memory(const void* data, uint64_t length) {
  if (data == nullptr && length > 0) return is_null("data");
  if (length > static_cast<uint64_t>(PTRDIFF_MAX))
    return Error{Errc::kInvalid, "the length " + std::to_string(length) + " is more than memory can hold"};
  return Done{};
}

// Errors: kInvalid, a NULL, or a name (which may be NULL) that breaks a rule.
Result<> check_create(const godwit_target* target, const char* name, godwit_region* const* region) {
  if (target == nullptr) return is_null("target");
  if (region == nullptr) return is_null("region");
  return name == nullptr ? Result<>(Done{}) : check_region_name(name);
}

template <class Create>  // Result<Id>(const std::string& name)
Result<> create_region(godwit_target* target, const char* name, godwit_region** region, Create create) {
  const Result<Id> id = create(name == nullptr ? std::string() : std::string(name));
  if (!id) return id.error();
  *region = new godwit_region{Region(target->client, *id, target->address)};
  return Done{};
}

}  // namespace

void godwit_region_id_format(godwit_region_id id, char text[33]) {
  if (text == nullptr) return;
  const std::string digits = to_string(from_c(id));
  std::memcpy(text, digits.c_str(), 33);
}

int godwit_region_id_parse(const char* text, godwit_region_id* id) {
  return at_c_boundary([&]() -> Result<> {
    if (id == nullptr) return is_null("id");
    const Result<Id> parsed = id_from(text, "the region's id");
    if (!parsed) return parsed.error();
    *id = to_c(*parsed);
    return Done{};
  });
}

int godwit_region_create(godwit_target* target, const char* name, uint64_t size, godwit_region** region) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check_create(target, name, region); !valid) return valid.error();
    return create_region(target, name, region, [&](const std::string& text) {
      return Region::create(target->client, target->address, target->name, text, size);
    });
  });
}

int godwit_region_create_write(godwit_target* target, const char* name, const void* data, uint64_t size,
                               godwit_region** region) {
  return at_c_boundary([&]() -> Result<> {
    if (const Result<> valid = check_create(target, name, region); !valid) return valid.error();
    if (const Result<> valid = check_memory(data, size); !valid) return valid.error();
    return create_region(target, name, region, [&](const std::string& text) {
      return Region::create(target->client, target->address, target->name, text,
                            std::span(static_cast<const std::byte*>(data), size));
    });
  });
}

int godwit_region_open(godwit_client* client, const char* address, const char* id_or_name, godwit_region** region) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (id_or_name == nullptr) return is_null("id_or_name");
    if (region == nullptr) return is_null("region");
    const auto where = address_from(address);
    if (!where) return where.error();
    const std::optional<Id> id = godwit::parse_id(id_or_name);
    if (!id)
      if (const Result<> valid = check_region_name(id_or_name); !valid) return valid.error();
    Result<Region> found = Region::find(client->client, *where, id.value_or(Id{}), id_or_name);
    if (!found) return found.error();
    *region = new godwit_region{*std::move(found)};
    return Done{};
  });
}

void godwit_region_close(godwit_region* region) { delete region; }

int godwit_region_write(godwit_region* region, uint64_t offset, const void* data, uint64_t length) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    if (const Result<> valid = check_memory(data, length); !valid) return valid.error();
    return region->region.write(offset, std::span(static_cast<const std::byte*>(data), length));
  });
}

int godwit_region_read(godwit_region* region, uint64_t offset, void* data, uint64_t length) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    if (const Result<> valid = check_memory(data, length); !valid) return valid.error();
    return region->region.read(offset, std::span(static_cast<std::byte*>(data), length));
  });
}

int godwit_region_persist(godwit_region* region, uint64_t offset, uint64_t length) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    return region->region.persist(Extent{offset, length});
  });
}

int godwit_region_size(godwit_region* region, uint64_t* size) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    if (size == nullptr) return is_null("size");
    const auto info = region->region.stat();
    if (!info) return info.error();
    *size = info->size_bytes;
    return Done{};
  });
}

int godwit_region_stat(godwit_region* region, godwit_region_info* info) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    if (info == nullptr) return is_null("info");
    const auto found = region->region.stat();
    if (!found) return found.error();
    *info = *found;
    return Done{};
  });
}

int godwit_region_erase(godwit_region* region) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    return region->region.erase();
  });
}

int godwit_region_chmod(godwit_region* region, uint32_t mode) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    return region->region.change_mode(mode);
  });
}

int godwit_region_get_id(const godwit_region* region, godwit_region_id* id) {
  return at_c_boundary([&]() -> Result<> {
    if (region == nullptr) return is_null("region");
    if (id == nullptr) return is_null("id");
    *id = to_c(region->region.id());
    return Done{};
  });
}

int godwit_region_each(godwit_client* client, const char* address, const char* target, godwit_region_callback callback,
                       void* context) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (callback == nullptr) return is_null("callback");
    const auto where = address_from(address);
    if (!where) return where.error();
    if (target != nullptr)
      if (Result<> valid = check_target_name(target); !valid) return valid;
    return Node(client->client, *where)
        .each_region(target == nullptr ? std::string() : std::string(target),
                     [&](const godwit_region_info& info) { return callback(&info, context) == 0; });
  });
}

int godwit_region_list(godwit_client* client, const char* address, const char* target, godwit_region_info** infos,
                       size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (infos == nullptr) return is_null("infos");
    if (count == nullptr) return is_null("count");
    const auto where = address_from(address);
    if (!where) return where.error();
    if (target != nullptr)
      if (const Result<> valid = check_target_name(target); !valid) return valid.error();
    const auto regions = Node(client->client, *where).regions(target == nullptr ? std::string() : std::string(target));
    if (!regions) return regions.error();
    const auto copy = copy_for_c(*regions);
    if (!copy) return copy.error();
    *infos = *copy;
    *count = regions->size();
    return Done{};
  });
}
