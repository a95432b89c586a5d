#include "godwit-bulk/selection.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "godwit-bulk/region_list.hpp"

namespace godwit::bulk {
namespace {

struct Close {
  void operator()(godwit_client* client) const { godwit_client_close(client); }
  void operator()(godwit_target* target) const { godwit_target_close(target); }
};
using Client = std::unique_ptr<godwit_client, Close>;

void check(int error) {
  if (error != GODWIT_OK) throw Refused(error, godwit_last_error());
}

std::string text_of(godwit_region_id id) {
  char text[33];
  godwit_region_id_format(id, text);
  return text;
}

std::vector<Item> list_regions(const Client& client, const Options& options) {
  godwit_region_info* infos = nullptr;
  size_t count = 0;
  check(godwit_region_list(client.get(), options.from.c_str(),
                           options.from_target.empty() ? nullptr : options.from_target.c_str(), &infos, &count));
  std::vector<Item> items;
  for (size_t i = 0; i < count; ++i)
    items.push_back(Item{infos[i].id, infos[i].size_bytes, infos[i].name[0] ? infos[i].name : text_of(infos[i].id)});
  godwit_free(infos);
  return items;
}

std::vector<std::string> read_list(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw Refused(GODWIT_ERR_IO, fmt::format("--list {}: {}", path, std::strerror(errno)));
  auto names = read_region_list(file);
  if (file.bad()) throw Refused(GODWIT_ERR_IO, fmt::format("--list {}: cannot be read", path));
  return names;
}

void keep_listed(const Options& options, Selection& selection) {
  std::unordered_map<std::string, size_t> by_name;
  for (size_t i = 0; i < selection.items.size(); ++i) {
    by_name.emplace(selection.items[i].name, i);
    by_name.emplace(text_of(selection.items[i].id), i);
  }
  std::vector<Item> kept;
  std::unordered_set<size_t> seen;
  std::unordered_set<std::string> unknown;
  for (const std::string& name : read_list(options.list_file)) {
    const auto found = by_name.find(name);
    if (found != by_name.end()) {
      if (seen.insert(found->second).second) kept.push_back(selection.items[found->second]);
    } else if (unknown.insert(name).second) {
      selection.unknown.push_back(
          Failure{name, "", GODWIT_ERR_NOT_FOUND, fmt::format("{} has no such region", options.from), -1});
    }
  }
  selection.items = std::move(kept);
}

}  // namespace

Selection select(const Options& options) {
  godwit_client* opened = nullptr;
  check(godwit_client_open(nullptr, &opened));
  const Client client(opened);
  Selection selection;
  selection.items = list_regions(client, options);
  if (!options.all) keep_listed(options, selection);
  for (const std::string& address : options.to) {
    godwit_target* target = nullptr;
    check(godwit_target_open(client.get(), address.c_str(), options.target.c_str(), &target));
    const std::unique_ptr<godwit_target, Close> owner(target);
    godwit_target_info info{};
    check(godwit_target_stat(target, &info));
    selection.free_bytes.push_back(info.capacity_bytes - std::min(info.used_bytes, info.capacity_bytes));
  }
  return selection;
}

}  // namespace godwit::bulk
