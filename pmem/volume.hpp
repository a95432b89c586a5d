// Volume: bytes that streams read and write at offsets: a target, or the files of a job.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/extent.hpp"
#include "base/result.hpp"

namespace godwit::pmem {

// Proof that bytes are durable as far as the volume can: only persist() makes it, acknowledgements take it.
class Durable {
 public:
  Extent extent() const { return extent_; }

 private:
  friend class Volume;
  explicit Durable(Extent extent) : extent_(extent) {}
  Extent extent_;
};

// One read or write by an IoQueue.
struct Io {
  enum class Direction { kRead, kWrite } direction;
  uint64_t offset_bytes;  // In the volume.
  std::span<std::byte> memory;
  uint64_t token;
};
struct IoDone {
  uint64_t token;
  Result<> outcome;  // Errors: kIo, kNoSpace; a short transfer has been completed or is an error, never a success.
};

// Several reads and writes of one volume in flight. One thread. Memory completes inside submit().
class IoQueue {
 public:
  virtual ~IoQueue() = default;
  // Errors: kBusy, `depth` operations are outstanding: wait() first; kIo.
  virtual Result<> submit(const Io& io) = 0;
  // Completions so far, at least `at_least` (0: do not block) of those outstanding.
  virtual Result<std::vector<IoDone>> wait(uint32_t at_least) = 0;
};

// Any thread.
class Volume {
 public:
  virtual ~Volume() = default;

  // "target 'keep'", for errors.
  virtual std::string describe() const = 0;
  // What a restart of the daemon leaves of it is all that was persisted.
  virtual bool survives_restart() const = 0;
  // The bytes themselves, readable and writable; empty where there is no such memory. Writes here are durable only after
  // persist().
  virtual std::span<std::byte> memory(Extent extent) = 0;
  // Why memory() is empty, as a clause: "target 'keep' is a file target".
  virtual std::string why_no_memory() const = 0;
  // Makes the extent durable; blocks until it is. dram: nothing to do, and succeeds.
  // Errors: kPmem, kIo: contents unknown; a failed fsync makes every later persist() of this volume fail too.
  virtual Result<Durable> persist(Extent extent) = 0;
  // A queue of one thread's, with room for `depth` operations. The volume outlives it. Errors: kInvalid, kLimit, kIo.
  virtual Result<std::unique_ptr<IoQueue>> open_queue(uint32_t depth) = 0;

 protected:
  static Durable durable(Extent extent) { return Durable{extent}; }
};

}  // namespace godwit::pmem
