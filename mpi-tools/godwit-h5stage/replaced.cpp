#include "godwit-h5stage/replaced.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <unordered_set>

#include "godwit-h5stage/failure.hpp"
#include "godwit-h5stage/names.hpp"
#include "godwit-h5stage/stage.hpp"

namespace godwit::h5stage {

Replaced split_held(const Nodes& nodes, std::vector<Held> held, const std::string& name) {
  Replaced old;
  const Held* const head = head_of(held, name);
  if (head == nullptr) return {{}, std::move(held)};
  std::unordered_set<std::string> own{godwit::to_string(head->info.id)};
  try {
    const std::string bytes = read_head(nodes, *head);
    for (const StoredDataset& dataset : from_text(decode_head(bytes).text).datasets)
      for (const StoredPart& part : dataset.parts) {
        own.insert(part.id);
        own.insert(part.name);
      }
  } catch (const Failure&) {
    return {std::move(held), {}};
  }
  for (const Held& one : held)
    (own.contains(godwit::to_string(one.info.id)) || own.contains(one.info.name) ? old.whole : old.rest).push_back(one);
  return old;
}

size_t first_number(const std::vector<Held>& there, size_t parts) {
  const auto is_in_the_way = [&](const Held& one) { return !one.of.is_head && !one.of.is_next_head && one.of.part < parts; };
  if (std::ranges::none_of(there, is_in_the_way)) return 0;
  size_t most = 0;
  for (const Held& one : there) most = std::max(most, one.of.part);
  return most + 1;
}

void make_head(const Nodes& nodes, const Place& place, const std::string& name, const std::string& head) {
  try {
    nodes.client().target(place.address, place.target).create(head.data(), head.size(), name);
  } catch (const godwit::Error& error) {
    if (error.code() != GODWIT_ERR_TIMEOUT && error.code() != GODWIT_ERR_PEER_LOST) throw;
    try {
      nodes.client().region(place.address, name).erase();
    } catch (const godwit::Error&) {
      throw error;  // It is not there, or the node does not answer still: its parts will be missing.
    }
    throw;
  }
}

void finish_swap(const Nodes& nodes, const std::string& name, Replaced& old) {
  if (std::ranges::any_of(old.whole, [](const Held& one) { return one.of.is_head; })) return;  // One that makes no sense, too.
  for (Held& one : old.whole) {
    if (!one.of.is_next_head) continue;
    const std::string head = read_head(nodes, one);
    make_head(nodes, {one.address, one.info.target, 0}, head_name(name), head);
    old.rest.push_back(one);
    const std::vector<Held> held = nodes.held(name);
    const auto made = std::ranges::find_if(held, [](const Held& other) { return other.of.is_head; });
    if (made != held.end()) one = *made;
    return;
  }
}

void show_instead(const Nodes& nodes, const Replaced& old, const std::string& name, const Place& place, const Place& next_place,
                  const std::string& head) {
  const auto is_head = [](const Held& one) { return one.of.is_head || one.of.is_next_head; };
  std::vector<Held> heads, parts;
  for (const Held& one : old.whole) (is_head(one) ? heads : parts).push_back(one);
  erase_stage(nodes, heads);
  make_head(nodes, place, head_name(name), head);
  try {
    nodes.client().region(next_place.address, next_head_name(name)).erase();
    erase_stage(nodes, parts);
  } catch (const godwit::Error& error) {
    fmt::print(stderr, "godwit-h5stage: '{}' is replaced; regions of the old one are left, which `in --force` erases: {}\n",
               name, error.what());
  }
}

}  // namespace godwit::h5stage
