#include "godwit-h5stage/nodes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "godwit-h5stage/failure.hpp"
#include "godwit-h5stage/names.hpp"

namespace godwit::h5stage {
namespace {

bool is_gone(int error) {
  return error == GODWIT_ERR_UNREACHABLE || error == GODWIT_ERR_PEER_LOST || error == GODWIT_ERR_TIMEOUT;
}

std::vector<std::string> each_once(const std::vector<std::string>& addresses) {
  std::vector<std::string> once;
  for (const std::string& address : addresses)
    if (std::ranges::find(once, address) == once.end()) once.push_back(address);
  return once;
}

uint64_t free_of(const godwit::TargetInfo& info) {
  return info.capacity_bytes > info.used_bytes ? info.capacity_bytes - info.used_bytes : 0;
}

}  // namespace

Nodes::Nodes(const std::vector<std::string>& addresses) : addresses_(each_once(addresses)) {}

std::vector<Place> Nodes::places(const std::string& target) const {
  std::vector<Place> places;
  for (const std::string& address : addresses_) {
    std::vector<godwit::TargetInfo> infos = client_.targets(address);
    if (!target.empty()) std::erase_if(infos, [&](const godwit::TargetInfo& info) { return target != info.name; });
    if (infos.empty())
      throw Failure(GODWIT_ERR_NOT_FOUND, target.empty() ? fmt::format("{} has no target", address)
                                                         : fmt::format("{} has no target '{}'", address, target));
    if (infos.size() > 1) {
      std::vector<std::string> names;
      for (const godwit::TargetInfo& info : infos) names.emplace_back(info.name);
      throw Failure(GODWIT_ERR_INVALID,
                    fmt::format("{} has several targets; name one with --target: {}", address, fmt::join(names, ", ")));
    }
    places.push_back({address, infos.front().name, free_of(infos.front())});
  }
  return places;
}

std::vector<Held> Nodes::held() const {
  std::vector<Held> held;
  for (const std::string& address : addresses_)
    for (const godwit::RegionInfo& info : client_.regions(address))
      if (auto of = stage_of_region(info.name)) held.push_back({std::move(*of), address, info});
  return held;
}

std::vector<Held> Nodes::held(const std::string& stage) const {
  std::vector<Held> all = held();
  std::erase_if(all, [&](const Held& one) { return one.of.stage != stage; });
  return all;
}

const Held* head_of(const std::vector<Held>& held, const std::string& stage) {
  const Held *head = nullptr, *next = nullptr;
  for (const Held& one : held) {
    if (!one.of.is_head && !one.of.is_next_head) continue;
    const Held*& known = one.of.is_head ? head : next;
    if (known != nullptr)
      throw Failure(GODWIT_ERR_EXISTS,
                    fmt::format("there are several stages '{}' at these nodes; name those of one of them only", stage));
    known = &one;
  }
  return head != nullptr ? head : next;
}

std::string read_head(const Nodes& nodes, const Held& head) {
  const godwit::Region region = nodes.client().region(head.address, head.info.id);
  std::string bytes(region.size(), '\0');
  region.read(0, bytes.data(), bytes.size());
  return bytes;
}

void erase_stage(const Nodes& nodes, std::vector<Held> regions) {
  std::ranges::stable_sort(regions, {}, [](const Held& one) { return one.of.is_next_head ? 0 : one.of.is_head ? 1 : 2; });
  for (const Held& one : regions) try {
      nodes.client().region(one.address, one.info.id).erase();
    } catch (const godwit::Error& error) {
      if (error.code() != GODWIT_ERR_NOT_FOUND) throw;
    }
}

void find_parts(const Nodes& nodes, const std::vector<Held>& held, Stage& stage) {
  std::unordered_map<std::string, const Held*> by_id, by_name;
  for (const Held& one : held) {
    by_id[godwit::to_string(one.info.id)] = &one;
    by_name[one.info.name] = &one;
  }
  for (StoredDataset& dataset : stage.datasets)
    for (StoredPart& part : dataset.parts) {
      uint64_t size = 0;
      const auto same = by_id.find(part.id), copy = by_name.find(part.name);
      const Held* const found = same != by_id.end() ? same->second : copy != by_name.end() ? copy->second : nullptr;
      if (found != nullptr) {
        part.address = found->address;
        part.id = godwit::to_string(found->info.id);
        size = found->info.size_bytes;
      } else {
        try {
          size = nodes.client().region(part.address, part.id).size();
        } catch (const godwit::Error& error) {
          throw Failure(error.code(), fmt::format("region {} of dataset {} is at none of the nodes given: {}", part.name,
                                                  dataset.path, error.what()));
        }
      }
      if (size != part.bytes)
        throw Failure(GODWIT_ERR_CORRUPT,
                      fmt::format("region {} of dataset {} has {} bytes, not {}", part.name, dataset.path, size, part.bytes));
    }
}

size_t Made::erase() {
  size_t left = 0;
  std::vector<std::string> silent;
  for (const One& one : regions_) {
    if (std::ranges::find(silent, one.address) != silent.end()) {
      ++left;
      continue;
    }
    try {
      one.region.erase();
    } catch (const godwit::Error& error) {
      if (error.code() == GODWIT_ERR_NOT_FOUND) continue;
      ++left;
      if (is_gone(error.code())) silent.push_back(one.address);
    }
  }
  regions_.clear();
  return left;
}

}  // namespace godwit::h5stage
