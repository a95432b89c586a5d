// Group: the other daemons that this one knows, and what they have.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/deadline.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "daemon/directory.hpp"
#include "daemon/worker_pool.hpp"
#include "engine/domains.hpp"
#include "fabric/address.hpp"
#include "fabric/channel.hpp"
#include "objects/gate.hpp"
#include "objects/permissions.hpp"
#include "protocol/codec.hpp"

namespace godwit::daemon {

using wire::PlaceKind;

// A member of the group, and how it answered.
struct Member {
  std::string address;
  Id node = {};                     // Zero: it did not answer.
  std::optional<Error> error = {};  // Why it did not.
};

// Where an object, a job or a plan is.
struct Place {
  PlaceKind kind = PlaceKind::region;
  Id id;
  uint64_t epoch = 0;
  std::string name, target;
  std::string address;    // Of the member, as this node's configuration or directory has it.
  std::string path = {};  // Of a fileset.
  Id job = {};            // That brought the fileset.
};

// Whether whoever asks for an object in this state finds it here.
constexpr bool is_served(objects::GateState state) {
  switch (state) {  // No default: -Wswitch catches a new state.
    case objects::GateState::kServing:
    case objects::GateState::kQuiesced: return true;
    case objects::GateState::kIncoming:
    case objects::GateState::kHandedOver:
    case objects::GateState::kGone: return false;
  }
  return false;
}

// What somebody looks for: by id, or by name if the id is zero. Of a fileset the name is its path, or the id its job's.
struct Wanted {
  Id id = {};
  std::string name = {};
  uint8_t kinds = 0;                          // A bit (1 << kind) for each that is meant.
  objects::Caller asker = {.may_all = true};  // Who is told of what he may read only.

  static constexpr uint8_t bit(PlaceKind kind) { return static_cast<uint8_t>(1u << static_cast<unsigned>(kind)); }
  bool is_met_by(const Place& place) const;
  // Whether it is where it began for as long as there is any of it, and nobody owns it: a job, a plan.
  bool stays() const { return kinds == bit(PlaceKind::job) || kinds == bit(PlaceKind::plan); }
  std::string describe() const;  // "job 0123..ef", "region 'mesh'"
};

// Thread-safe.
class Group {
 public:
  static constexpr size_t kMembersMax = 1'024;

  // `members`: addresses; those of `own_addresses` are left out. `node`: this one. `on_start` runs first in each thread.
  // `directory`: knows the members in the place of a list, and owners; may be null.
  Group(const std::vector<std::string>& members, const std::vector<std::string>& own_addresses, const Id& node,
        engine::Domains& domains, std::function<void()> on_start, std::shared_ptr<Directory> directory = nullptr);
  ~Group() { stop(); }

  Result<> start() { return threads_.start(); }
  // Questions under way end with kCancelled; what is submitted later is not done.
  void stop();
  // Whether there is nobody else to ask.
  bool is_alone() const { return listed_.empty() && directory_ == nullptr; }
  // For what waits for other members.
  void submit(std::function<void()> work) { threads_.submit(std::move(work)); }

  // What was submitted and waits for a thread now.
  size_t queued() const { return threads_.queued(); }

  // ---- blocks for at most some seconds; a member that let somebody wait in vain is not asked again for some seconds

  // The others, and which of them answer now.
  std::vector<Member> others();
  // The one that is wanted. `here`: what this node itself has of it. Of several records of one id that of the highest epoch
  // counts. Errors: kNotFound; kExists, several objects have the name: the text says which; kUnreachable, no member that
  // answered has it, and some did not answer: the text names them.
  Result<Place> locate(const Wanted& wanted, std::vector<Place> here);
  // The same, of others only; content with the first answer where an id is wanted. What stays() and was found once is said to
  // be there from then on, asked or not.
  Result<Place> find(const Wanted& wanted);

 private:
  struct Answers {
    std::vector<Place> places;
    std::vector<Member> silent;
  };
  struct Rest {
    Clock::time_point until;
    Error error;
  };

  // `take` gets a member, by its place in `members`, and its verified answer; whether the others need not be asked any more.
  // Why each has not answered.
  using Take = std::function<bool(size_t member, const protocol::Decoded&)>;
  std::vector<std::optional<Error>> ask(const std::vector<fabric::Address>& members, std::span<const std::byte> question,
                                        const Take& take);
  std::vector<fabric::Address> other_addresses() const;
  Answers ask_where(const std::vector<fabric::Address>& members, const Wanted& wanted, bool first_is_enough);
  // Of the one that the directory calls its owner; empty, if nobody is, or it does not know of it.
  Answers ask_owner(const Wanted& wanted);
  void add_directory_if_silent(Answers& answers) const;
  Result<Place> the_one(const Wanted& wanted, std::vector<Place> places, const std::vector<Member>& silent) const;

  const Id node_;
  engine::Domains& domains_;
  const std::shared_ptr<Directory> directory_;
  std::vector<fabric::Address> listed_;  // Constant after construction.
  std::atomic<bool> stopping_{false};

  std::mutex mutex_;                                                 // Guards all below.
  std::unordered_map<std::string, Rest> resting_;                    // Members, by address, that are not asked for now.
  std::unordered_map<Id, std::pair<PlaceKind, std::string>> known_;  // What stays(), and at which member.

  WorkerPool threads_;  // Last: its threads use all of the above.
};

// The place as others are told of it; `address`: of this node.
flatbuffers::Offset<wire::PlaceEntry> place_entry(flatbuffers::FlatBufferBuilder& builder, const Place& place);
// What another daemon says that it has. Nothing if no such thing can be.
std::optional<Place> place_from(const wire::PlaceEntry& entry, const std::string& address);

}  // namespace godwit::daemon
