// Source and Sink: what the engine sees of an object that migrates. Every kind of object gives both.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/deadline.hpp"
#include "base/result.hpp"
#include "journal/journal.hpp"
#include "model/fileset.hpp"
#include "objects/region_store.hpp"
#include "pmem/target.hpp"

namespace godwit::objects {

// Where an object's bytes are: one run of a volume. (Its memory() says whether they can be exposed directly.)
struct Storage {
  pmem::Volume* volume;
  Extent extent;
};

using journal::ObjectKind;

// What a job would do with one entry of an object's listing.
struct PlannedFile {
  std::string path;
  model::FileKind kind;
  bool comes;  // Its data, or itself, are not at the destination yet.
  uint64_t bytes;
};

struct DatabaseIdentity;

// One object at its source. One job owns it; its streams read storage() from several threads.
class Source {
 public:
  virtual ~Source() = default;
  virtual ObjectKind kind() const { return ObjectKind::kRegion; }
  virtual std::string describe() const = 0;
  virtual uint64_t size_bytes() const = 0;
  virtual Storage storage() const = 0;
  // Whether it is here after a restart of this node's daemon.
  virtual bool survives_restart() const { return storage().volume->survives_restart(); }
  // What the destination is offered, and the journal keeps.
  virtual journal::JobObject manifest() const = 0;
  virtual std::optional<journal::RegionRecord> record() const = 0;
  // What the journal keeps of a move, so that requests for the object are told where it went.
  virtual std::optional<journal::MovedRecord> moved_record(const Moved& moved) const = 0;
  // What it is, if it is a database; else NULL.
  virtual const DatabaseIdentity* database() const { return nullptr; }
  // The same of a database; and with NULL, what it keeps of one that serves here after all.
  virtual std::optional<journal::DatabaseRecord> database_record(const Moved*) const { return std::nullopt; }

  // Whether it can be read while its writers go on: then passes over it come before they are stopped, each with what has
  // changed, and the last one after.
  virtual bool has_live_passes() const { return false; }
  // A pass begins; `last`: its writers have been stopped. What follows is of this pass. Blocks. Errors: the object's.
  virtual Result<> begin_pass(bool) { return Done{}; }
  // What it is made of, for a destination that has to know before the bytes come. Errors: kLimit, too long.
  virtual Result<std::vector<std::byte>> listing() const { return std::vector<std::byte>{}; }
  // Which entries of the listing the destination has from an earlier pass (empty: none).
  virtual std::vector<bool> kept() const { return {}; }
  // The entries of the listing, if the destination wants these of them (empty: all).
  virtual std::vector<PlannedFile> planned(const std::vector<bool>&) const { return {}; }
  // The destination takes it, and wants the data of these entries of the listing (empty: of all; of those that it does not
  // name, too): size_bytes() and storage() are right from here on.
  virtual void accepted(const std::vector<bool>&) {}

  // Stops its writers; blocks until they have left. Errors: kTimeout, then they go on.
  virtual Result<> quiesce(Deadline deadline) = 0;
  // Stops its readers too, before the hand-over. Errors: as quiesce.
  virtual Result<> stop(Deadline deadline) = 0;
  // Everybody goes on: the job failed, or it was a copy.
  virtual void resume() = 0;
  // It went away: free the space, tell who asks.
  virtual void finish_move(const Moved& moved) = 0;
};

// One object at its destination, space reserved. One job owns it; its streams write storage() from several threads.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual std::string describe() const = 0;
  virtual Storage storage() const = 0;
  virtual std::optional<journal::RegionRecord> record() const = 0;
  virtual std::optional<journal::DatabaseRecord> database_record() const { return std::nullopt; }
  // Another pass: the object is now made of `files`; of those entries that are `kept` the data are here from an earlier pass.
  // storage() is of this pass from here on, and takes the others. Blocks. Errors: kUnsupported; kProtocol; kNoSpace; kIo.
  virtual Result<> begin_pass(model::Fileset, const std::vector<bool>&) {
    return Error{Errc::kUnsupported, describe() + " takes one pass only"};
  }
  // The first pass of another attempt of its job, over `files`, which may be others than before. Runs of storage() that may be
  // here from the earlier ones, sorted, none beside another: they are to be read back before they count. Blocks. Errors:
  // kUnsupported; kProtocol; kDenied; kNoSpace; kIo.
  virtual Result<std::vector<Extent>> begin_again(model::Fileset) {
    return Error{Errc::kUnsupported, describe() + " is the same in all attempts"};
  }
  // Another attempt of its job: of storage(), which nobody uses now, only the runs `landed` are here. Blocks. Errors: kIo,
  // kNoSpace; kChanged, it has to begin anew.
  virtual Result<> begin_attempt(std::span<const Extent>) { return Done{}; }
  // By entry of its listing: whether its data have to come. Empty: of all.
  virtual std::vector<bool> wanted() const { return {}; }
  // Every byte has landed: makes whole, and durable, what storage() does not hold. Blocks. Errors: kIo, kNoSpace, kExists.
  virtual Result<> finish() { return Done{}; }
  // After finish(), and after what has arrived was verified: whether it can be used. Blocks. Errors: kCorrupt, kIo, kInvalid.
  virtual Result<> try_out() { return Done{}; }
  // Adds to the journal's record what a restart has to know of it; after finish().
  virtual void note(journal::JobObject&) const {}
  // Before that: whether a restart can go on with what has landed. `listing`: and what it has to know for it, if anything.
  // Errors: kUnsupported; kLimit, too long.
  virtual Result<> note_unfinished(std::vector<std::byte>&) const { return Done{}; }
  // It has arrived, and the journal has it: serve it.
  virtual void adopt() = 0;
  // It has not: free the space.
  virtual void drop() = 0;
};

class RegionSource final : public Source {
 public:
  // Pins the region for the job. Errors: kBusy, kNotFound.
  static Result<std::unique_ptr<RegionSource>> open(RegionStore& store, RegionPtr region, const Id& job) {
    if (auto pinned = region->pin(job); !pinned) return std::move(pinned).error();
    return std::make_unique<RegionSource>(store, std::move(region), job);
  }
  // `region` is pinned by the job.
  RegionSource(RegionStore& store, RegionPtr region, const Id& job) : store_(store), region_(std::move(region)), job_(job) {}
  std::string describe() const override { return region_->describe(); }
  uint64_t size_bytes() const override { return region_->size_bytes; }
  Storage storage() const override { return {&region_->target, region_->extent}; }
  journal::JobObject manifest() const override {
    return {region_->id,         region_->id,
            region_->epoch,      new_name_.value_or(region_->name),
            region_->size_bytes, region_->target.name(),
            region_->extent,     ObjectKind::kRegion};
  }
  // Before the job starts: the name at the destination.
  void rename(std::string name) { new_name_ = std::move(name); }
  std::optional<journal::MovedRecord> moved_record(const Moved& moved) const override {
    return journal::MovedRecord{region_->id, region_->epoch + 1, region_->name, moved.address, moved.target};
  }
  std::optional<journal::RegionRecord> record() const override { return RegionStore::record_of(*region_); }
  Result<> quiesce(Deadline deadline) override { return region_->quiesce(deadline); }
  Result<> stop(Deadline deadline) override { return region_->stop(deadline); }
  void resume() override { store_.take_back(region_); }
  void finish_move(const Moved& moved) override { store_.finish_move(region_, job_, moved); }

 private:
  RegionStore& store_;
  RegionPtr region_;
  Id job_;
  std::optional<std::string> new_name_;
};

class RegionSink final : public Sink {
 public:
  RegionSink(RegionStore& store, RegionPtr region) : store_(store), region_(std::move(region)) {}
  std::string describe() const override { return region_->describe(); }
  Storage storage() const override { return {&region_->target, {region_->extent.offset_bytes, region_->size_bytes}}; }
  std::optional<journal::RegionRecord> record() const override { return RegionStore::record_of(*region_); }
  void adopt() override { store_.adopt(region_); }
  void drop() override { store_.drop(region_); }

 private:
  RegionStore& store_;
  RegionPtr region_;
};

}  // namespace godwit::objects
