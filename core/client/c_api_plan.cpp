// godwit.h: plans.
#include "client/c_boundary.hpp"
#include "client/handles.hpp"
#include "client/plan.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using namespace godwit;
using namespace godwit::client;

namespace {

// `ask(plans)` gives a text, for *json unless that is NULL.
template <class Ask>
int text_from(godwit_client* client, const char* address, char** json, const Ask& ask) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    const auto where = address_from(address);
    if (!where) return where.error();
    const Result<std::string> text = ask(Plans(client->client, *where));
    if (!text) return text.error();
    if (json == nullptr) return Done{};
    const Result<char*> copy = copy_for_c(*text);
    if (!copy) return copy.error();
    *json = *copy;
    return Done{};
  });
}

// `act(plans, id)` gives a text.
template <class Act>
int act_on(godwit_client* client, const char* address, const char* id_text, char** json, const Act& act) {
  return text_from(client, address, json, [&](Plans plans) -> Result<std::string> {
    const auto id = id_from(id_text, "the plan's id");
    if (!id) return id.error();
    return act(plans, *id);
  });
}

}  // namespace

int godwit_plan_make(godwit_client* client, const char* address, const char* document, char** plan) {
  return text_from(client, address, plan, [&](Plans plans) -> Result<std::string> {
    if (document == nullptr) return is_null("document");
    if (plan == nullptr) return is_null("plan");
    return plans.make(document);
  });
}

int godwit_plan_execute(godwit_client* client, const char* address, const char* id, char** plan) {
  return act_on(client, address, id, plan, [](Plans& plans, const Id& which) { return plans.execute(which); });
}

int godwit_plan_show(godwit_client* client, const char* address, const char* id, char** plan) {
  return act_on(client, address, id, plan, [&](Plans& plans, const Id& which) -> Result<std::string> {
    if (plan == nullptr) return is_null("plan");
    return plans.show(which);
  });
}

int godwit_plan_list(godwit_client* client, const char* address, char** all) {
  return text_from(client, address, all, [&](Plans plans) -> Result<std::string> {
    if (all == nullptr) return is_null("plans");
    return plans.list();
  });
}

int godwit_plan_cancel(godwit_client* client, const char* address, const char* id) {
  return act_on(client, address, id, nullptr, [](Plans& plans, const Id& which) { return plans.cancel(which); });
}

int godwit_plan_remove(godwit_client* client, const char* address, const char* id) {
  return act_on(client, address, id, nullptr, [](Plans& plans, const Id& which) -> Result<std::string> {
    if (auto removed = plans.remove(which); !removed) return removed.error();
    return std::string();
  });
}

int godwit_plan_chmod(godwit_client* client, const char* address, const char* id, uint32_t mode) {
  return act_on(client, address, id, nullptr, [mode](Plans& plans, const Id& which) -> Result<std::string> {
    if (auto changed = plans.change_mode(which, mode); !changed) return changed.error();
    return std::string();
  });
}
