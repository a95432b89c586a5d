#include "godwit-h5stage/stage_in.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <memory>

#include "godwit-h5stage/failure.hpp"
#include "godwit-h5stage/names.hpp"
#include "godwit-h5stage/nodes.hpp"
#include "godwit-h5stage/parts.hpp"
#include "godwit-h5stage/replaced.hpp"
#include "godwit-h5stage/skeleton.hpp"
#include "godwit-h5stage/source.hpp"
#include "godwit-h5stage/stage.hpp"
#include "godwit-h5stage/transfer.hpp"

namespace godwit::h5stage {
namespace {

// What rank 0 finds out, before anything is made.
struct Beginning {
  Stage stage;
  std::string name, file;
  std::string skeleton;
  std::vector<std::string> targets;  // Of each part, in order.
  Place head, next_head;
  Replaced old;
};

bool exists(const std::string& file) {
  std::error_code error;
  return std::filesystem::exists(file, error);
}

// What there is of a stage of that name. Throws Failure: EXISTS, there is something, and nobody said --force.
std::vector<Held> to_be_replaced(const Nodes& nodes, const std::string& name, bool force) {
  std::vector<Held> held = nodes.held(name);
  if (held.empty() || force) return held;
  const bool is_whole = std::ranges::any_of(held, [](const Held& one) { return one.of.is_head || one.of.is_next_head; });
  throw Failure(
      GODWIT_ERR_EXISTS,
      is_whole ? fmt::format("stage '{}' is there already; --force replaces it, --name gives another name", name)
               : fmt::format("there are {} regions of an unfinished stage '{}': a run was killed, or another one is making it "
                             "now; --force erases them first",
                             held.size(), name));
}

// The places, as they will be when these regions are gone.
std::vector<Place> places_without(const Nodes& nodes, const std::string& target, const std::vector<Held>& gone) {
  std::vector<Place> places = nodes.places(target);
  for (const Held& one : gone)
    for (Place& place : places)
      if (place.address == one.address && place.target == one.info.target) place.free_bytes += one.info.size_bytes;
  return places;
}

// Parts without ids, and room for digests.
Stage plan(const Options& options, const std::string& name, const Source& source, const std::vector<FullDataset>& datasets,
           size_t places, const std::vector<Held>& there) {
  Stage stage{source.file, fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))), options.buffer_bytes, {}};
  size_t number = 0;
  for (const FullDataset& full : datasets) {
    const Pieces pieces(full.shape, options.buffer_bytes);
    StoredDataset dataset{full.path, full.shape, {}, std::vector<uint64_t>(pieces.size())};
    for (const Part& part : cut_parts(pieces, places, options.part_bytes))
      dataset.parts.push_back({part.first, part.pieces, part.bytes, "", "", ""});
    number += dataset.parts.size();
    stage.datasets.push_back(std::move(dataset));
  }
  number = first_number(there, number);
  for (StoredDataset& dataset : stage.datasets)
    for (StoredPart& part : dataset.parts) part.name = part_name(name, number++);
  return stage;
}

// More than the head will have, with ids and digests.
uint64_t head_bytes_most(const Stage& stage, size_t skeleton_bytes) {
  uint64_t digests = 0;
  for (const StoredDataset& dataset : stage.datasets) digests += dataset.digests.size();
  return to_text(stage).size() + skeleton_bytes + 20 * digests + 40 * stage.parts() + 4096;
}

// Of each part, of the head, and of the one under another name if a stage is replaced, which stays until then.
std::vector<size_t> choose_places(const Stage& stage, size_t skeleton_bytes, const std::vector<Place>& places,
                                  const Replaced& old) {
  std::vector<uint64_t> sizes;
  for (const StoredDataset& dataset : stage.datasets)
    for (const StoredPart& part : dataset.parts) sizes.push_back(part.bytes);
  const uint64_t head_bytes = head_bytes_most(stage, skeleton_bytes);
  sizes.insert(sizes.end(), old.whole.empty() ? 1 : 2, head_bytes);
  try {
    return place_parts(sizes, places);
  } catch (const Failure& failure) {
    if (failure.error() != GODWIT_ERR_NO_SPACE || old.whole.empty()) throw;
    throw Failure(failure.error(), fmt::format("{}; the stage that is there stays until the new one is whole: "
                                               "`godwit-h5stage rm` makes room",
                                               failure.what()));
  }
}

Beginning begin(const Options& options, const Nodes& nodes) {
  Beginning beginning;
  const Source source = parse_source(options.source, exists);
  beginning.name = options.stage.empty() ? stage_name_of(source.file) : options.stage;
  check_stage_name(beginning.name);
  Skeleton skeleton = make_skeleton(source);
  Replaced& old = beginning.old = split_held(nodes, to_be_replaced(nodes, beginning.name, options.force), beginning.name);
  const std::vector<Place> places = places_without(nodes, options.target, old.rest);
  beginning.stage = plan(options, beginning.name, source, skeleton.datasets, places.size(), old.whole);
  const std::vector<size_t> chosen = choose_places(beginning.stage, skeleton.image.size(), places, old);
  size_t next = 0;
  for (StoredDataset& dataset : beginning.stage.datasets)
    for (StoredPart& part : dataset.parts) {
      part.address = places[chosen[next]].address;
      beginning.targets.push_back(places[chosen[next++]].target);
    }
  beginning.head = places[chosen[next++]];
  if (!old.whole.empty()) beginning.next_head = places[chosen[next]];
  beginning.file = source.file;
  finish_swap(nodes, beginning.name, old);
  erase_stage(nodes, old.rest);  // All that can be known before it is known to be right.
  beginning.skeleton = std::move(skeleton.image);
  return beginning;
}

std::string lines_of(const std::vector<std::string>& texts) {
  std::string lines;
  for (const std::string& text : texts) lines += text + '\n';
  return lines;
}

std::vector<std::string> texts_of(const std::string& lines) {
  std::vector<std::string> texts;
  for (size_t begin = 0, end = 0; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1)
    texts.push_back(lines.substr(begin, end - begin));
  return texts;
}

// One rank's share of making a stage.
class Work {
 public:
  Work(const Team& team, Nodes& nodes, std::string file, Stage& stage)
      : team_(team), nodes_(nodes), file_(std::move(file)), stage_(stage) {}

  Made& made() { return made_; }

  // Makes the regions, and fills in their ids.
  void make_regions(const std::vector<std::string>& targets) {
    std::vector<uint64_t> ids(2 * stage_.parts());
    team_.together([&] {
      for_our_parts([&](size_t number, StoredPart& part) {
        godwit::Region region = nodes_.client().target(part.address, targets[number]).create(part.bytes, part.name);
        const godwit::RegionId id = region.id();
        made_.add(part.address, std::move(region));
        ids[2 * number] = id.high;
        ids[2 * number + 1] = id.low;
      });
    });
    team_.sum(ids);
    size_t number = 0;
    for (StoredDataset& dataset : stage_.datasets)
      for (StoredPart& part : dataset.parts) {
        part.id = godwit::to_string(godwit::RegionId{ids[2 * number], ids[2 * number + 1]});
        ++number;
      }
  }

  // Brings the data, and fills in the digests.
  void bring() {
    Hid file;
    team_.together([&] { file = open_by_all(file_, H5F_ACC_RDONLY); });
    std::unique_ptr<OpenDataset> open;
    const StoredDataset* opened = nullptr;
    for_all_pieces([&](StoredDataset& dataset, const Pieces& pieces, size_t piece, const Spot& spot) {
      if (opened != &dataset) {
        opened = nullptr;
        open = std::make_unique<OpenDataset>(file, dataset.path, dataset.shape);
        opened = &dataset;
      }
      buffer_.resize(std::max<size_t>(buffer_.size(), spot.bytes));
      open->read(pieces.box(piece), buffer_.data());
      dataset.digests[piece] = digest_of(buffer_.data(), spot.bytes);
      region_.of(dataset.parts[spot.part]).write(spot.offset, buffer_.data(), spot.bytes);
    });
    team_.together([&] { for_our_parts([&](size_t, StoredPart& part) { region_.of(part).persist(0, part.bytes); }); });
    for (StoredDataset& dataset : stage_.datasets) team_.sum(dataset.digests);
    open.reset();
  }

  // Another rank than the one that wrote a piece reads it, where there are several.
  void verify() {
    for_all_pieces(
        [&](StoredDataset& dataset, const Pieces&, size_t piece, const Spot& spot) {
          buffer_.resize(std::max<size_t>(buffer_.size(), spot.bytes));
          const StoredPart& part = dataset.parts[spot.part];
          region_.of(part).read(spot.offset, buffer_.data(), spot.bytes);
          if (digest_of(buffer_.data(), spot.bytes) != dataset.digests[piece])
            throw Failure(GODWIT_ERR_DIGEST, fmt::format("{} at {} holds other bytes of dataset {} than were written",
                                                         part.name, part.address, dataset.path));
        },
        1);
  }

 private:
  void for_our_parts(const std::function<void(size_t, StoredPart&)>& handle) {
    size_t number = 0;
    for (StoredDataset& dataset : stage_.datasets)
      for (StoredPart& part : dataset.parts) {
        if (number % team_.size() == team_.rank()) handle(number, part);
        ++number;
      }
  }

  // Our share of all pieces of all datasets, with a look at the others now and then.
  void for_all_pieces(const std::function<void(StoredDataset&, const Pieces&, size_t, const Spot&)>& handle, size_t shift = 0) {
    size_t dataset = 0, before = 0;
    std::optional<Pieces> pieces;
    std::vector<Spot> spots;
    const size_t total = total_pieces();
    for (size_t round = 0; round * team_.size() < total; round += kRounds)
      team_.together([&] {
        for (size_t in = round; in < round + kRounds; ++in) {
          const size_t next = in * team_.size() + (team_.rank() + shift) % team_.size();
          if (next >= total) return;
          while (next - before >= stage_.datasets[dataset].digests.size()) {
            before += stage_.datasets[dataset++].digests.size();
            pieces.reset();
          }
          StoredDataset& one = stage_.datasets[dataset];
          if (!pieces) spots = spots_of(one, pieces.emplace(one.shape, stage_.piece_bytes));
          handle(one, *pieces, next - before, spots[next - before]);
        }
      });
  }

  size_t total_pieces() const {
    size_t total = 0;
    for (const StoredDataset& dataset : stage_.datasets) total += dataset.digests.size();
    return total;
  }

  const Team& team_;
  Nodes& nodes_;
  const std::string file_;
  Stage& stage_;
  Made made_;
  PartRegion region_{nodes_.client()};
  std::vector<std::byte> buffer_;
};

void tell_what_is_left(const std::string& name, size_t regions) {
  fmt::print(stderr, "godwit-h5stage: {} regions of '{}' could not be erased; `godwit-h5stage rm` will, or `in --force`\n",
             regions, name);
}

}  // namespace

Result stage_in(const Options& options, const Team& team) {
  const auto begun = std::chrono::steady_clock::now();
  Nodes nodes(options.nodes);
  Beginning beginning;
  team.at_first([&] { beginning = begin(options, nodes); });
  const std::string name = team.told(beginning.name);
  const std::string file = team.told(beginning.file);  // The stage has it for people: as text.
  const std::string text = team.told(team.is_first() ? to_text(beginning.stage) : "");
  const std::vector<std::string> targets = texts_of(team.told(lines_of(beginning.targets)));
  Stage stage;
  team.together([&] { stage = from_text(text); });
  Work work(team, nodes, file, stage);
  const bool replaces = team.told(beginning.old.whole.empty() ? "" : "yes") == "yes";
  std::string head;
  try {
    team.together([&] { check_reach(file, O_RDONLY); });
    work.make_regions(targets);
    work.bring();
    if (options.verify) work.verify();
    team.at_first([&] {
      head = encode_head(to_text(stage), beginning.skeleton);
      const Place& place = replaces ? beginning.next_head : beginning.head;
      make_head(nodes, place, replaces ? next_head_name(name) : head_name(name), head);
    });
  } catch (const Failure&) {
    if (const size_t left = work.made().erase(); left > 0) tell_what_is_left(name, left);
    throw;
  }
  if (replaces) team.at_first([&] { show_instead(nodes, beginning.old, name, beginning.head, beginning.next_head, head); });
  Result result{name, stage.file, stage.bytes(), beginning.skeleton.size(), stage.datasets.size(), stage.parts() + 1, 0, 0};
  for (const StoredDataset& dataset : stage.datasets) result.pieces += dataset.digests.size();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

}  // namespace godwit::h5stage
