#include "migrate_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "json.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

std::vector<godwit_region_info> list_regions(Session& session, const std::string& address, const char* target) {
  Array<godwit_region_info> infos;
  check(godwit_region_list(session.client(), address.c_str(), target, infos.out(), infos.out_count()));
  return {infos.items().begin(), infos.items().end()};
}

// A region at the source itself: one that has moved on is an error that says where it is.
godwit_region_info find_region(Session& session, const std::string& address, const std::string& id_or_name) {
  godwit_region* opened = nullptr;
  check(godwit_region_open(session.client_that_stays(), address.c_str(), id_or_name.c_str(), &opened));
  const Region region(opened);
  godwit_region_info info{};
  check(godwit_region_stat(region.get(), &info));
  return info;
}

// The name that the region would have at the destination.
std::string name_there(const MigrateOptions& options, const godwit_region_info& region) {
  return options.name.empty() ? region.name : options.name;
}

// Why this region could not go; GODWIT_OK if it could.
int obstacle(const MigrateOptions& options, const godwit_region_info& region, const std::set<std::string>& taken,
             uint64_t& free_bytes, uint64_t largest_free_bytes) {
  const std::string name = name_there(options, region);
  if (!name.empty() && taken.count(name) != 0) return GODWIT_ERR_EXISTS;
  if (region.size_bytes > free_bytes || region.size_bytes > largest_free_bytes) return GODWIT_ERR_NO_SPACE;
  free_bytes -= region.size_bytes;
  return GODWIT_OK;
}

std::set<std::string> names_taken(Session& session, const MigrateOptions& options) {
  std::set<std::string> names;
  for (const auto& region : list_regions(session, options.to, nullptr)) names.insert(region.name);
  // A region that moves within its node frees its own name.
  if (options.to == options.from && !options.copy) names.clear();
  return names;
}

godwit_target_info destination_target(Session& session, const MigrateOptions& options) {
  godwit_target* opened = nullptr;
  check(godwit_target_open(session.client(), options.to.c_str(), options.target.c_str(), &opened));
  const Target target(opened);
  godwit_target_info info{};
  check(godwit_target_stat(target.get(), &info));
  return info;
}

}  // namespace

std::vector<godwit_region_info> chosen_regions(Session& session, const MigrateOptions& options) {
  const int ways = (options.regions.empty() ? 0 : 1) + (options.all ? 1 : 0) + (options.from_target.empty() ? 0 : 1);
  if (ways != 1) throw Failure(GODWIT_ERR_INVALID, "name regions, or --all, or --from-target NAME: one of these");
  if (options.all) return list_regions(session, options.from, nullptr);
  if (!options.from_target.empty()) return list_regions(session, options.from, options.from_target.c_str());
  std::vector<godwit_region_info> regions;
  for (const std::string& region : options.regions) {
    godwit_region_info info{};
    const bool is_id = godwit_region_id_parse(region.c_str(), &info.id) == GODWIT_OK;
    // Several ids go as they are: the job reports each that is not there, and the others go.
    regions.push_back(is_id && !options.dry_run ? info : find_region(session, options.from, region));
  }
  return regions;
}

int print_plan(Session& session, const MigrateOptions& options, const std::vector<godwit_region_info>& regions) {
  const godwit_target_info target = destination_target(session, options);
  const std::set<std::string> taken = names_taken(session, options);
  uint64_t free_bytes = target.capacity_bytes - std::min(target.used_bytes, target.capacity_bytes);
  uint64_t total = 0;
  int first_obstacle = GODWIT_OK;
  Table table({"ID", "SIZE", "FROM", "NAME THERE", "WOULD GO"});
  Json list = Json::array();
  for (const godwit_region_info& region : regions) {
    const int error = obstacle(options, region, taken, free_bytes, target.largest_free_bytes);
    if (first_obstacle == GODWIT_OK) first_obstacle = error;
    total += region.size_bytes;
    table.add({to_text(region.id), format_size(static_cast<double>(region.size_bytes)), region.target,
               name_there(options, region), error == GODWIT_OK ? "yes" : std::string("no: ") + godwit_error_meaning(error)});
    Json json = to_json(region);
    json["obstacle"] = error_name(error);
    list.push_back(std::move(json));
  }
  if (session.json) {
    print_json({{"dry_run", true},
                {"copy", options.copy},
                {"from", options.from},
                {"to", options.to},
                {"target", options.target},
                {"bytes", total},
                {"largest_free_bytes", target.largest_free_bytes},
                {"regions", list}});
  } else {
    print(table.text());
    print(fmt::format("{} {} regions, {}, to target {} of {} ({} free)\n", options.copy ? "would copy" : "would move",
                      regions.size(), format_size(static_cast<double>(total)), printable(options.target), printable(options.to),
                      format_size(static_cast<double>(target.largest_free_bytes))));
  }
  return godwit_error_exit_code(first_obstacle);
}

}  // namespace godwit::cli
