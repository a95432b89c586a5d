// godwit.h: clients, and what is asked of a node without a handle.
#include <cstdlib>

#include "base/units.hpp"
#include "client/c_boundary.hpp"
#include "client/handles.hpp"
#include "client/node.hpp"
#include "client/rules.hpp"
#include "client/to_c.hpp"

using godwit::Done;
using godwit::Errc;
using godwit::Error;
using godwit::Result;
using namespace godwit::client;

namespace {

Result<Settings> settings_from(const godwit_client_options* options) {
  Settings settings;
  if (options == nullptr) return settings;
  if (options->inline_bytes > settings.inline_bytes)
    return Error{Errc::kInvalid, "inline_bytes is " + std::to_string(options->inline_bytes) + ", more than " +
                                     std::to_string(settings.inline_bytes)};
  if (options->connect_timeout_ms != 0) settings.connect_timeout = godwit::milliseconds(options->connect_timeout_ms);
  if (options->operation_timeout_ms != 0) settings.operation_timeout = godwit::milliseconds(options->operation_timeout_ms);
  if (options->inline_bytes != 0) settings.inline_bytes = options->inline_bytes;
  settings.follow = options->do_not_follow == 0;
  return settings;
}

}  // namespace

int godwit_client_open(const godwit_client_options* options, godwit_client** client) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    const Result<Settings> settings = settings_from(options);
    if (!settings) return settings.error();
    *client = new godwit_client{Client(*settings)};
    return Done{};
  });
}

void godwit_client_close(godwit_client* client) { delete client; }

int godwit_ping(godwit_client* client, const char* address, double* microseconds) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    const auto where = address_from(address);
    if (!where) return where.error();
    const Result<double> seconds = Node(client->client, *where).ping();
    if (!seconds) return seconds.error();
    if (microseconds != nullptr) *microseconds = *seconds * 1e6;
    return Done{};
  });
}

int godwit_doctor(godwit_client* client, const char* address, char** json) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (json == nullptr) return is_null("json");
    const auto where = address_from(address);
    if (!where) return where.error();
    const Result<std::string> text = Node(client->client, *where).doctor();
    if (!text) return text.error();
    const Result<char*> copy = copy_for_c(*text);
    if (!copy) return copy.error();
    *json = *copy;
    return Done{};
  });
}

void godwit_free(void* memory) { std::free(memory); }

int godwit_job_list(godwit_client* client, const char* address, godwit_job_info** infos, size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (infos == nullptr) return is_null("infos");
    if (count == nullptr) return is_null("count");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto jobs = Node(client->client, *where).jobs();
    if (!jobs) return jobs.error();
    const auto copy = copy_for_c(*jobs);
    if (!copy) return copy.error();
    *infos = *copy;
    *count = jobs->size();
    return Done{};
  });
}

int godwit_job_stat(godwit_client* client, const char* address, const char* job_id, godwit_job_info* info) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (info == nullptr) return is_null("info");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto job = id_from(job_id, "the job's id");
    if (!job) return job.error();
    const auto state = Migration(client->client, *where, *job, nullptr, nullptr).test();
    if (!state) return state.error();
    *info = state->info;
    return Done{};
  });
}

int godwit_group_list(godwit_client* client, const char* address, godwit_member** members, size_t* count) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (members == nullptr) return is_null("members");
    if (count == nullptr) return is_null("count");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto group = Node(client->client, *where).group();
    if (!group) return group.error();
    const auto copy = copy_for_c(*group);
    if (!copy) return copy.error();
    *members = *copy;
    *count = group->size();
    return Done{};
  });
}

int godwit_group_jobs(godwit_client* client, const char* address, godwit_job_info** infos, size_t* count,
                      godwit_member** members, size_t* member_count) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (infos == nullptr) return is_null("infos");
    if (count == nullptr) return is_null("count");
    if (members == nullptr) return is_null("members");
    if (member_count == nullptr) return is_null("member_count");
    const auto where = address_from(address);
    if (!where) return where.error();
    Node node(client->client, *where);
    auto group = node.group();
    if (!group) return group.error();
    const auto jobs = node.jobs_of(*group);
    const auto member_copy = copy_for_c(*group);
    if (!member_copy) return member_copy.error();
    const auto copy = copy_for_c(jobs);
    if (!copy) {
      std::free(*member_copy);
      return copy.error();
    }
    *infos = *copy;
    *count = jobs.size();
    *members = *member_copy;
    *member_count = group->size();
    return Done{};
  });
}

int godwit_locate(godwit_client* client, const char* address, const char* id_or_name, godwit_place* place) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (id_or_name == nullptr) return is_null("id_or_name");
    if (place == nullptr) return is_null("place");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto id = godwit::parse_id(id_or_name);
    if (!id)
      if (const Result<> valid = check_region_name(id_or_name); !valid && id_or_name[0] != '/') return valid.error();
    const auto found = Node(client->client, *where).locate(id.value_or(godwit::Id{}), id ? "" : id_or_name);
    if (!found) return found.error();
    *place = *found;
    return Done{};
  });
}

int godwit_job_events(godwit_client* client, const char* address, const char* job_id, char** lines) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (lines == nullptr) return is_null("lines");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto job = id_from(job_id, "the job's id");
    if (!job) return job.error();
    const Result<std::string> text = Node(client->client, *where).job_events(*job);
    if (!text) return text.error();
    const Result<char*> copy = copy_for_c(*text);
    if (!copy) return copy.error();
    *lines = *copy;
    return Done{};
  });
}

int godwit_node_limit(godwit_client* client, const char* address, uint64_t bandwidth) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    const auto where = address_from(address);
    if (!where) return where.error();
    return Node(client->client, *where).limit(bandwidth);
  });
}

int godwit_node_get_limit(godwit_client* client, const char* address, uint64_t* bandwidth) {
  return at_c_boundary([&]() -> Result<> {
    if (client == nullptr) return is_null("client");
    if (bandwidth == nullptr) return is_null("bandwidth");
    const auto where = address_from(address);
    if (!where) return where.error();
    const auto now = Node(client->client, *where).bandwidth();
    if (!now) return now.error();
    *bandwidth = *now;
    return Done{};
  });
}

int godwit_rate_parse(const char* text, uint64_t* bytes_per_second) {
  return at_c_boundary([&]() -> Result<> {
    if (text == nullptr) return is_null("text");
    if (bytes_per_second == nullptr) return is_null("bytes_per_second");
    const auto rate = godwit::parse_rate(text);
    if (!rate) return rate.error();
    *bytes_per_second = *rate;
    return Done{};
  });
}
