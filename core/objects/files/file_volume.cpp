#include "objects/files/file_volume.hpp"

#include <linux/magic.h>
#include <sys/vfs.h>

#include <algorithm>
#include <unordered_map>

namespace godwit::objects {

using Direction = pmem::Io::Direction;

pmem::FdQueue::Mode FileVolume::mode_for(int fd) {
  struct statfs status {};
  const bool in_memory = fstatfs(fd, &status) == 0 && (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
  return in_memory || pmem::FdQueue::probe() != 0 ? pmem::FdQueue::Mode::kAtOnce : pmem::FdQueue::Mode::kRing;
}

Extent FileVolume::add(std::shared_ptr<VolumeFiles> files, const model::Fileset& fileset, const std::vector<bool>& wanted) {
  const Extent extent{length_bytes_, 0};
  Files added{std::move(files), std::vector<OpenFile>(fileset.entries.size())};
  for (uint32_t i = 0; i < fileset.entries.size(); ++i) {
    if (i < wanted.size() && !wanted[i]) continue;
    for (const Extent& data : fileset.entries[i].data) {
      runs_.push_back({length_bytes_, data.offset_bytes, static_cast<uint32_t>(filesets_.size()), i});
      length_bytes_ += data.length_bytes;
      added.open[i].left_bytes += data.length_bytes;
    }
  }
  filesets_.push_back(std::move(added));
  return {extent.offset_bytes, length_bytes_ - extent.offset_bytes};
}

Result<> FileVolume::begin_again(Extent extent, std::span<const Extent> landed) {
  if (extent.length_bytes == 0) return Done{};
  const size_t first = run_at(extent.offset_bytes);
  Files& fileset = filesets_[runs_[first].fileset];
  for (OpenFile& file : fileset.open) {
    file.users = 0;
    file.left_bytes = 0;
  }
  for (size_t run = first; run < runs_.size() && runs_[run].offset_bytes < extent.offset_bytes + extent.length_bytes; ++run)
    fileset.open[runs_[run].entry].left_bytes += end_of(run) - runs_[run].offset_bytes;
  for (const Extent& here : landed) {
    uint64_t offset = here.offset_bytes;
    const uint64_t end = here.offset_bytes + here.length_bytes;
    for (size_t run = run_at(offset); offset < end; ++run) {
      const uint64_t until = std::min(end, end_of(run));
      fileset.open[runs_[run].entry].left_bytes -= until - offset;
      offset = until;
    }
  }
  for (uint32_t entry = 0; entry < fileset.open.size(); ++entry) {
    OpenFile& file = fileset.open[entry];
    if (!file.fd) continue;
    const UniqueFd fd = std::move(file.fd);
    if (file.left_bytes > 0) continue;  // It is opened again.
    if (auto finished = fileset.files->finished(entry, fd.get(), Direction::kWrite); !finished) return finished;
  }
  return Done{};
}

size_t FileVolume::run_at(uint64_t offset_bytes) const {
  const auto after = std::upper_bound(runs_.begin(), runs_.end(), offset_bytes,
                                      [](uint64_t offset, const Run& run) { return offset < run.offset_bytes; });
  return static_cast<size_t>(after - runs_.begin()) - 1;
}

Result<int> FileVolume::enter(const Run& run, Direction direction) {
  Files& fileset = filesets_[run.fileset];
  const std::lock_guard lock(lock_of(run));
  OpenFile& file = fileset.open[run.entry];
  if (!file.fd) {
    auto fd = fileset.files->open(run.entry, direction);
    if (!fd) return std::move(fd).error();
    file.fd = std::move(*fd);
  }
  ++file.users;
  return file.fd.get();
}

Result<> FileVolume::leave(const Run& run, uint64_t bytes, Direction direction) {
  Files& fileset = filesets_[run.fileset];
  const std::lock_guard lock(lock_of(run));
  OpenFile& file = fileset.open[run.entry];
  if (direction == job_) file.left_bytes -= std::min(bytes, file.left_bytes);
  if (--file.users > 0 || file.left_bytes > 0) return Done{};
  const UniqueFd fd = std::move(file.fd);
  return fileset.files->finished(run.entry, fd.get(), direction);
}

// Cuts each operation at the files' ends. One thread.
class FileVolumeQueue final : public pmem::IoQueue {
 public:
  FileVolumeQueue(FileVolume& volume, std::unique_ptr<pmem::FdQueue> queue, uint32_t depth)
      : volume_(volume), queue_(std::move(queue)), depth_(depth) {}

  // The kernel still uses the callers' memory and the files until all has ended.
  ~FileVolumeQueue() override {
    while (!parts_.empty() && parts_.size() > free_parts_.size()) {
      auto done = queue_->wait(1);
      if (!done) return;  // The ring waits itself when it is closed.
      take(*done);
    }
  }

  Result<> submit(const pmem::Io& io) override {
    if (works_.size() >= depth_) return Error{Errc::kBusy, "all operations of this queue are outstanding"};
    Work& work = works_[io.token];
    work.left = 1;  // Ours, until all parts are under way.
    uint64_t offset = io.offset_bytes;
    std::span<std::byte> rest = io.memory;
    for (size_t run = rest.empty() ? 0 : volume_.run_at(offset); !rest.empty() && work.outcome; ++run) {
      const uint64_t within = offset - volume_.runs_[run].offset_bytes;
      const size_t bytes = std::min<uint64_t>(rest.size(), volume_.end_of(run) - offset);
      start(run, {io.direction, volume_.runs_[run].file_offset_bytes + within, rest.first(bytes), 0}, io.token, work);
      rest = rest.subspan(bytes);
      offset += bytes;
    }
    end_one(io.token, work);
    return Done{};
  }

  Result<std::vector<pmem::IoDone>> wait(uint32_t at_least) override {
    for (;;) {
      const bool block = done_.size() < at_least && !works_.empty();
      auto done = queue_->wait(block ? 1 : 0);
      if (!done) return std::move(done).error();
      take(*done);
      if (done_.size() >= at_least || works_.empty()) break;
    }
    return std::exchange(done_, {});
  }

 private:
  struct Work {
    uint32_t left = 0;
    Result<> outcome = Done{};
  };
  struct Part {
    uint64_t token;  // Of its work.
    size_t run;
    uint64_t bytes;
    Direction direction;
  };

  void start(size_t run, pmem::Io io, uint64_t token, Work& work) {
    auto fd = volume_.enter(volume_.runs_[run], io.direction);
    if (!fd) {
      work.outcome = std::move(fd).error();
      return;
    }
    if (free_parts_.empty()) {
      free_parts_.push_back(parts_.size());
      parts_.emplace_back();
    }
    const size_t part = free_parts_.back();
    free_parts_.pop_back();
    parts_[part] = {token, run, io.memory.size(), io.direction};
    io.token = part;
    ++work.left;
    for (;;) {
      auto submitted = submit_part(*fd, io);
      if (submitted) return;
      auto done =
          submitted.error().code == Errc::kBusy ? queue_->wait(1) : Result<std::vector<pmem::IoDone>>(submitted.error());
      if (!done) return part_done(part, std::move(done).error());
      take(*done);
    }
  }

  // What is done at once is done with this thread's rights.
  Result<> submit_part(int fd, const pmem::Io& io) {
    if (volume_.mode_ == pmem::FdQueue::Mode::kRing) return queue_->submit(fd, io);
    const ActAs as(volume_.user_);
    return queue_->submit(fd, io);
  }

  void take(const std::vector<pmem::IoDone>& done) {
    for (const pmem::IoDone& one : done) part_done(one.token, one.outcome);
  }

  void part_done(size_t index, Result<> outcome) {
    const Part part = parts_[index];
    free_parts_.push_back(index);
    const FileVolume::Run& run = volume_.runs_[part.run];
    if (!outcome) {
      Error error = with_context(volume_.filesets_[run.fileset].files->describe(run.entry), std::move(outcome).error());
      if (error.code == Errc::kRange) error.code = Errc::kChanged;  // It has become shorter than it was.
      outcome = std::move(error);
    }
    auto left = volume_.leave(run, part.bytes, part.direction);
    if (outcome) outcome = std::move(left);
    Work& work = works_.at(part.token);
    if (work.outcome && !outcome) work.outcome = std::move(outcome);
    end_one(part.token, work);
  }

  void end_one(uint64_t token, Work& work) {
    if (--work.left > 0) return;
    done_.push_back({token, std::move(work.outcome)});
    works_.erase(token);
  }

  FileVolume& volume_;
  const std::unique_ptr<pmem::FdQueue> queue_;
  const uint32_t depth_;
  std::unordered_map<uint64_t, Work> works_;  // By token.
  std::vector<Part> parts_;
  std::vector<size_t> free_parts_;
  std::vector<pmem::IoDone> done_;
};

Result<std::unique_ptr<pmem::IoQueue>> FileVolume::open_queue(uint32_t depth) {
  auto queue = pmem::FdQueue::open(depth * 4, mode_);
  if (!queue) return std::move(queue).error();
  if (user_) {
    const ActAs as(user_);
    if (auto kept = (*queue)->keep_rights(); !kept) return std::move(kept).error();
  }
  return std::unique_ptr<pmem::IoQueue>(std::make_unique<FileVolumeQueue>(*this, std::move(*queue), depth));
}

}  // namespace godwit::objects
