#include "godwit-h5stage/stage_out.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "godwit-h5stage/failure.hpp"
#include "godwit-h5stage/nodes.hpp"
#include "godwit-h5stage/output_file.hpp"
#include "godwit-h5stage/transfer.hpp"

namespace godwit::h5stage {
namespace {

// What rank 0 finds out and begins.
struct Beginning {
  Stage stage;
  std::unique_ptr<OutputFile> file;
  uint64_t skeleton_bytes = 0;
};

Beginning begin(const Options& options, const Nodes& nodes) {
  Beginning beginning;
  const std::vector<Held> held = nodes.held(options.stage);
  const Held* const whole = head_of(held, options.stage);
  if (whole == nullptr)
    throw Failure(GODWIT_ERR_NOT_FOUND,
                  held.empty() ? fmt::format("there is no stage '{}' at these nodes", options.stage)
                               : fmt::format("stage '{}' is unfinished, or its head is at another node", options.stage));
  const std::string bytes = read_head(nodes, *whole);
  const Head head = decode_head(bytes);
  beginning.stage = from_text(head.text);
  beginning.skeleton_bytes = head.skeleton.size();
  find_parts(nodes, held, beginning.stage);
  beginning.file = std::make_unique<OutputFile>(options.file, head.skeleton, options.force);
  return beginning;
}

// One rank's share of filling the file.
class Work {
 public:
  Work(const Team& team, Nodes& nodes, std::string file, const Stage& stage)
      : team_(team), file_(std::move(file)), stage_(stage), region_(nodes.client()) {}

  // Throws Failure at all ranks: NO_SPACE, IO, DIGEST, those of the nodes.
  void fill() {
    try {
      write_all();
      // MPI-IO may lose a write of several ranks at once, on a full disk, and tell nobody.
      read_back();
    } catch (const Failure& failure) {
      team_.at_first([&] { throw why_not_written(file_, failure); });
    }
  }

 private:
  void write_all() {
    Hid file;
    team_.together([&] { check_reach(file_, O_RDWR); });
    team_.together([&] { file = open_by_all(file_, H5F_ACC_RDWR); });
    for (const StoredDataset& dataset : stage_.datasets) {
      const Pieces pieces(dataset.shape, stage_.piece_bytes);
      std::unique_ptr<OpenDataset> open;
      team_.together([&] { open = std::make_unique<OpenDataset>(file, dataset.path, dataset.shape); });
      if (dataset.shape.is_filtered) {
        fill_by_all(dataset, pieces, *open);
      } else {
        fill_alone(dataset, pieces, *open);
      }
    }
    // One by one: a rank that could not flush must close, too, as the others wait for it there.
    team_.together([&] { require(H5Fflush(file, H5F_SCOPE_GLOBAL), GODWIT_ERR_IO, "writing " + file_); });
    team_.together([&] { require(file.close(), GODWIT_ERR_IO, "closing " + file_); });
  }

  // What all ranks wrote at once, by another rank than the one that wrote it, where there are several.
  void read_back() {
    if (std::ranges::none_of(stage_.datasets, [](const StoredDataset& dataset) { return dataset.shape.is_filtered; })) return;
    Hid file;
    team_.together([&] { file = open_by_all(file_, H5F_ACC_RDONLY); });
    for (const StoredDataset& dataset : stage_.datasets) {
      if (!dataset.shape.is_filtered) continue;
      const Pieces pieces(dataset.shape, stage_.piece_bytes);
      team_.together([&] {
        const OpenDataset open(file, dataset.path, dataset.shape);
        for (size_t piece = (team_.rank() + 1) % team_.size(); piece < pieces.size(); piece += team_.size()) {
          buffer_.resize(std::max<size_t>(buffer_.size(), pieces.bytes(piece)));
          open.read(pieces.box(piece), buffer_.data());
          if (digest_of(buffer_.data(), pieces.bytes(piece)) != dataset.digests[piece])
            throw Failure(GODWIT_ERR_IO, fmt::format("dataset {} was not written to {} as it is", dataset.path, file_));
        }
      });
    }
    team_.together([&] { require(file.close(), GODWIT_ERR_IO, "closing " + file_); });
  }

  void fetch(const StoredDataset& dataset, size_t piece, const Spot& spot) {
    buffer_.resize(std::max<size_t>(buffer_.size(), spot.bytes));
    const StoredPart& part = dataset.parts[spot.part];
    region_.of(part).read(spot.offset, buffer_.data(), spot.bytes);
    if (digest_of(buffer_.data(), spot.bytes) != dataset.digests[piece])
      throw Failure(GODWIT_ERR_DIGEST, fmt::format("{} at {} holds other bytes of dataset {} than were staged", part.name,
                                                   part.address, dataset.path));
  }

  void fill_alone(const StoredDataset& dataset, const Pieces& pieces, const OpenDataset& open) {
    const std::vector<Spot> spots = spots_of(dataset, pieces);
    for (size_t round = 0; round * team_.size() < pieces.size(); round += kRounds)
      team_.together([&] {
        for (size_t in = round; in < round + kRounds; ++in) {
          const size_t piece = in * team_.size() + team_.rank();
          if (piece >= pieces.size()) return;
          fetch(dataset, piece, spots[piece]);
          open.write(pieces.box(piece), buffer_.data());
        }
      });
  }

  // Each chunk is written once, by one rank, while all are there.
  void fill_by_all(const StoredDataset& dataset, const Pieces& pieces, const OpenDataset& open) {
    const std::vector<Spot> spots = spots_of(dataset, pieces);
    buffer_.resize(std::max<size_t>(buffer_.size(), 1));
    for (size_t round = 0; round * team_.size() < pieces.size(); ++round) {
      const size_t piece = round * team_.size() + team_.rank();
      const bool is_ours = piece < pieces.size();
      team_.together([&] {
        if (is_ours) fetch(dataset, piece, spots[piece]);
      });
      try {
        open.write_by_all(is_ours ? std::optional(pieces.box(piece)) : std::nullopt, buffer_.data());
      } catch (const Failure& failed) {
        if (team_.size() == 1) throw;
        // The others may wait for this rank inside HDF5 for ever.
        const Failure failure = why_not_written(file_, failed);
        unlink(file_.c_str());
        end_all(failure.error(), failure.what());
      }
    }
  }

  const Team& team_;
  const std::string file_;
  const Stage& stage_;
  PartRegion region_;
  std::vector<std::byte> buffer_;
};

}  // namespace

Result stage_out(const Options& options, const Team& team) {
  const auto begun = std::chrono::steady_clock::now();
  Nodes nodes(options.nodes);
  Beginning beginning;
  team.at_first([&] { beginning = begin(options, nodes); });
  const std::string text = team.told(team.is_first() ? to_text(beginning.stage) : "");
  Stage stage;
  team.together([&] { stage = from_text(text); });
  Work(team, nodes, temporary_name(options.file), stage).fill();
  team.at_first([&] { beginning.file->publish(); });
  Result result{
      options.stage, options.file, stage.bytes(), beginning.skeleton_bytes, stage.datasets.size(), stage.parts() + 1, 0, 0};
  for (const StoredDataset& dataset : stage.datasets) result.pieces += dataset.digests.size();
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  return result;
}

}  // namespace godwit::h5stage
