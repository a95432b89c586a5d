#include "godwit-bulk/selection.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <unordered_map>
#include <unordered_set>

#include "godwit-bulk/object_list.hpp"

namespace godwit::bulk {
namespace {

constexpr size_t kPathsAtOnce = 1000;

// What is asked for: everything of a kind, or what is listed.
struct Wanted {
  bool regions = false, databases = false;
  bool is_list = false;
  std::unordered_map<std::string, bool> listed[2];  // Of regions and databases: by name or id; whether it was found.
  std::vector<std::string> paths;

  // Whether the object is asked for; notes that it was found.
  bool takes(Kind kind, const char* name, godwit_region_id id) {
    if (!is_list) return true;
    auto& of_kind = listed[static_cast<size_t>(kind)];
    auto found = of_kind.find(name);
    const auto by_id = of_kind.find(text_of(id));
    if (found != of_kind.end()) found->second = true;
    if (by_id != of_kind.end()) by_id->second = true;
    return found != of_kind.end() || by_id != of_kind.end();
  }
};

Wanted wanted_of(const Options& options) {
  Wanted wanted;
  wanted.regions = options.regions;
  wanted.databases = options.databases;
  wanted.paths = options.files;
  if (options.list_file.empty()) return wanted;
  wanted.is_list = true;
  std::ifstream file(options.list_file);
  if (!file) throw Refused(GODWIT_ERR_IO, fmt::format("--list {}: {}", options.list_file, std::strerror(errno)));
  for (Listed& listed : read_object_list(file)) {
    if (listed.kind == Kind::kFiles)
      wanted.paths.push_back(std::move(listed.name));
    else
      wanted.listed[static_cast<size_t>(listed.kind)].emplace(std::move(listed.name), false);
  }
  if (file.bad()) throw Refused(GODWIT_ERR_IO, fmt::format("--list {}: cannot be read", options.list_file));
  wanted.regions = !wanted.listed[static_cast<size_t>(Kind::kRegion)].empty();
  wanted.databases = !wanted.listed[static_cast<size_t>(Kind::kDatabase)].empty();
  return wanted;
}

void check(const Options& options, const Nodes& nodes, const Wanted& wanted) {
  if (wanted.regions && options.target.empty())
    throw Refused(GODWIT_ERR_INVALID, fmt::format("--list {} names regions: give their --target", options.list_file));
  if (wanted.paths.empty() && !options.for_files.empty())
    throw Refused(GODWIT_ERR_INVALID,
                  fmt::format("{} is for files, and --list {} names none", options.for_files, options.list_file));
  if (wanted.paths.empty()) return;
  if (options.to_root.empty())
    throw Refused(GODWIT_ERR_INVALID, fmt::format("--list {} names files: give their --to-root", options.list_file));
  if (nodes.from.size() > 1 && options.to_root.find("%n") == std::string::npos)
    throw Refused(GODWIT_ERR_INVALID,
                  fmt::format("the files of {} sources would take each other's names in {}: put %n in --to-root, which becomes "
                              "the source's name",
                              nodes.from.size(), options.to_root));
}

// What a C function calls for each region; what it throws waits until that has returned.
struct AddRegion {
  uint16_t source;
  Wanted& wanted;
  Items& items;
  std::exception_ptr thrown = {};

  static int call(const godwit_region_info* info, void* context) {
    auto& self = *static_cast<AddRegion*>(context);
    try {
      if (self.wanted.takes(Kind::kRegion, info->name, info->id)) self.add(*info);
      return 0;
    } catch (...) {
      self.thrown = std::current_exception();
      return 1;
    }
  }

 private:
  void add(const godwit_region_info& info) {
    Item item;
    item.id = info.id;
    item.size_bytes = info.size_bytes;
    item.source = source;
    items.add(item, info.name);
  }
};

void add_regions(const Client& client, const Options& options, const Nodes& nodes, uint16_t source, Wanted& wanted,
                 Items& items) {
  AddRegion adder{source, wanted, items};
  require(godwit_region_each(client.get(), nodes.from[source].c_str(),
                             options.from_target.empty() ? nullptr : options.from_target.c_str(), &AddRegion::call, &adder));
  if (adder.thrown) std::rethrow_exception(adder.thrown);
}

void add_databases(const Client& client, const Nodes& nodes, uint16_t source, Wanted& wanted, Items& items) {
  godwit_database_info* infos = nullptr;
  size_t count = 0;
  require(godwit_database_list(client.get(), nodes.from[source].c_str(), &infos, &count));
  const List<godwit_database_info> owner(infos);
  for (size_t i = 0; i < count; ++i) {
    if (!wanted.takes(Kind::kDatabase, infos[i].name, infos[i].id)) continue;
    Item item;
    item.kind = Kind::kDatabase;
    item.id = infos[i].id;
    item.size_bytes = infos[i].bytes;
    item.source = source;
    items.add(item, infos[i].name);
  }
}

// How many bytes the paths have: a dry run tells. What it cannot tell (not there, not allowed) counts as nothing, and the run
// says why.
std::vector<uint64_t> sizes_of(const Client& client, const Options& options, const std::string& source,
                               const std::string& destination, const std::string& directory,
                               const std::vector<const char*>& paths) {
  std::vector<godwit_file_rule> rules;
  godwit_fileset_options look = how_of_files(options, rules);
  look.dry_run = 1;
  std::vector<uint64_t> sizes(paths.size());
  godwit_migrate_result* results = nullptr;
  size_t count = 0;
  const int error = godwit_fileset_migrate(client.get(), source.c_str(), paths.data(), paths.size(), destination.c_str(),
                                           directory.c_str(), &look, &results, &count);
  if (error != GODWIT_OK && error != GODWIT_ERR_PARTIAL) return sizes;
  for (size_t i = 0; i < std::min(count, paths.size()); ++i) sizes[i] = results[i].size_bytes;
  godwit_free(results);
  return sizes;
}

void add_files(const Client& client, const Options& options, const Nodes& nodes, uint16_t source, const Wanted& wanted,
               Items& items) {
  const std::string& address = nodes.from[source];
  const size_t other = nodes.to.size() > 1 && nodes.to.front() == address ? 1 : 0;
  const std::string directory = directory_of(options.to_root, address);
  for (size_t begin = 0; begin < wanted.paths.size(); begin += kPathsAtOnce) {
    std::vector<const char*> paths;
    for (size_t i = begin; i < std::min(begin + kPathsAtOnce, wanted.paths.size()); ++i)
      paths.push_back(wanted.paths[i].c_str());
    const std::vector<uint64_t> sizes = sizes_of(client, options, address, nodes.to[other], directory, paths);
    for (size_t i = 0; i < paths.size(); ++i) {
      Item item;
      item.kind = Kind::kFiles;
      item.id = id_of_files(address, paths[i]);
      item.size_bytes = sizes[i];
      item.source = source;
      items.add(item, paths[i]);
    }
  }
}

// What was listed and no source has, unless it has left its source before.
void note_unknown(const Nodes& nodes, const Wanted& wanted, const EarlierRun& earlier, Selection& selection) {
  for (const Kind kind : {Kind::kRegion, Kind::kDatabase})
    for (const auto& [name, is_found] : wanted.listed[static_cast<size_t>(kind)]) {
      godwit_region_id id{};
      const bool is_id = godwit_region_id_parse(name.c_str(), &id) == GODWIT_OK;
      if (is_found || earlier.has_arrived(kind, name) || (is_id && earlier.has_arrived(kind, id))) continue;
      const std::string text = nodes.from.size() == 1 ? fmt::format("{} has no such {}", nodes.from.front(), text_of(kind))
                                                      : fmt::format("no source has such a {}", text_of(kind));
      selection.unknown.push_back(Failure{kind, name, "", GODWIT_ERR_NOT_FOUND, text, -1, -1});
    }
}

void leave_out(const EarlierRun& earlier, Selection& selection) {
  selection.items.keep_if([&](const Item& item) {
    if (earlier.has_arrived(item.kind, item.id)) return false;
    if (!earlier.is_in_doubt(item.kind, item.id)) return true;
    selection.unknown.push_back(Failure{item.kind, selection.items.label(item), text_of(item.id), GODWIT_ERR_IN_DOUBT,
                                        "its source cannot tell what became of it in the earlier run, so it is not sent again",
                                        item.source, -1});
    return false;
  });
}

std::vector<uint64_t> room_of(const Client& client, const Options& options, const Nodes& nodes) {
  std::vector<uint64_t> free_bytes(nodes.to.size());
  if (options.target.empty()) return free_bytes;
  int first = GODWIT_OK;
  std::string text;
  for (size_t i = 0; i < nodes.to.size(); ++i) {
    godwit_target* opened = nullptr;
    godwit_target_info info{};
    int error = godwit_target_open(client.get(), nodes.to[i].c_str(), options.target.c_str(), &opened);
    const Target target(opened);
    if (error == GODWIT_OK) error = godwit_target_stat(target.get(), &info);
    if (error == GODWIT_OK) {
      free_bytes[i] = info.capacity_bytes - std::min(info.used_bytes, info.capacity_bytes);
      continue;
    }
    if (first == GODWIT_OK) first = error;
    text += fmt::format("{}{}", text.empty() ? "" : "\n  ", godwit_last_error());
  }
  if (first != GODWIT_OK) throw Refused(first, text);
  return free_bytes;
}

}  // namespace

Selection select(const Options& options, const Nodes& nodes, const EarlierRun& earlier) {
  Wanted wanted = wanted_of(options);
  check(options, nodes, wanted);
  const Client client = open_client();
  Selection selection;
  selection.free_bytes = room_of(client, options, nodes);
  for (uint16_t source = 0; source < nodes.from.size(); ++source) {
    if (wanted.regions) add_regions(client, options, nodes, source, wanted, selection.items);
    if (wanted.databases) add_databases(client, nodes, source, wanted, selection.items);
    if (!wanted.paths.empty()) add_files(client, options, nodes, source, wanted, selection.items);
  }
  if (nodes.from.size() > 1) selection.items.drop_repeated();
  note_unknown(nodes, wanted, earlier, selection);
  leave_out(earlier, selection);
  selection.items.sort();
  return selection;
}

}  // namespace godwit::bulk
