// Gate: who may use an object now: its readers and writers under way, and the one job that works on it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "base/deadline.hpp"
#include "base/id.hpp"
#include "base/result.hpp"

namespace godwit::objects {

enum class GateState : uint8_t {
  kIncoming,  // Being received: serves nobody yet.
  kServing,
  kQuiesced,    // Readers only: a job reads it.
  kHandedOver,  // Nobody: the decision is made, the new owner has not confirmed.
  kGone,        // Erased, moved away, or never arrived.
};

enum class Use : uint8_t { kRead, kWrite };

class Gate;

// While it lives, the object stays where it is and the use it was given for stays allowed.
class Access {
 public:
  Access(Access&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)), use_(other.use_) {}
  Access& operator=(Access&&) = delete;
  ~Access();

 private:
  friend class Gate;
  Access(Gate* gate, Use use) : gate_(gate), use_(use) {}
  Gate* gate_;
  Use use_;
};

// Thread-safe. Objects of every kind are one (they derive from it).
class Gate {
 public:
  // `subject`: "region 0123..ef ('field')", for errors.
  Gate(std::string subject, GateState state) : subject_(std::move(subject)), state_(state) {}
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  const std::string& describe() const { return subject_; }
  GateState state() const;

  // Errors: kBusy, a job has stopped this use for now, or has moved it away: find it again; kNotFound, it is gone. Does not
  // block.
  Result<Access> enter(Use use);

  // One job at a time works on an object. Errors: kBusy, another one does; kNotFound, it is gone or not here yet.
  Result<> pin(const Id& job);
  bool is_pinned() const;
  bool is_pinned_by(const Id& job) const;
  // Stops new writers, and waits until those under way have left. Errors: kTimeout, then writers go on.
  Result<> quiesce(Deadline deadline);
  // Stops readers too, and waits. Errors: kTimeout, then readers go on.
  Result<> stop(Deadline deadline);
  // Serves everybody again, unpinned: the job failed, was a copy, or the object has arrived.
  void resume();
  // Serves nobody ever again; waits until everybody has left, so that the space can be released. Errors: kBusy, pinned by
  // a job other than `job`; kTimeout.
  Result<> retire(const Id& job, Deadline deadline);

 protected:
  ~Gate() = default;

 private:
  friend class Access;
  void leave(Use use);

  const std::string subject_;
  mutable std::mutex mutex_;  // Guards all below.
  std::condition_variable left_;
  GateState state_;
  Id job_;  // Zero: none.
  uint32_t readers_ = 0;
  uint32_t writers_ = 0;
};

// "region 0123..ef ('field')"; the name is cleaned of control characters, and may be empty.
std::string subject_of(const char* kind, const Id& id, const std::string& name);

}  // namespace godwit::objects
