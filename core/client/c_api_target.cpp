// godwit.h: targets.
#include "client/c_boundary.hpp"
#include "client/handles.hpp"
#include "client/node.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using godwit::Done;
using godwit::Result;
using namespace godwit::client;

int godwit_target_open(godwit_client* client, const char* address, const char* name, godwit_target** target) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (name == nullptr) return is_null("name");
    if (target == nullptr) return is_null("target");
    auto where = address_from(address);
    if (!where) return where.error();
    if (const Result<> valid = check_target_name(name); !valid) return valid.error();
    if (const auto info = Node(client->client, *where).target(name); !info) return info.error();
    *target = new godwit_target{client->client, *std::move(where), name};
    return Done{};
  });
}

void godwit_target_close(godwit_target* target) { delete target; }

int godwit_target_stat(godwit_target* target, godwit_target_info* info) {
  return at_c_boundary([&]() -> Result<> {
    if (target == nullptr) return is_null("target");
    if (info == nullptr) return is_null("info");
    const auto found = Node(target->client, target->address).target(target->name);
    if (!found) return found.error();
    *info = *found;
    return Done{};
  });
}

int godwit_target_list(godwit_client* client, const char* address, godwit_target_info** infos, size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (infos == nullptr) return is_null("infos");
    if (count == nullptr) return is_null("count");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto targets = Node(client->client, *where).targets();
    if (!targets) return targets.error();
    const auto copy = copy_for_c(*targets);
    if (!copy) return copy.error();
    *infos = *copy;
    *count = targets->size();
    return Done{};
  });
}
