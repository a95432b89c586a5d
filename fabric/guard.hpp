// Guard: what both ends of a connection prove to each other before it opens. fabric/ carries the proof and knows none of its
// methods: those are core/identity.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "fabric/hello.hpp"

namespace godwit::fabric {

// Who is at the other end of a connection. One that nobody has set is nobody's, and may nothing.
struct Identity {
  bool is_unasked = false;  // Nobody wanted to know, and the rest means nothing.
  bool is_trusted = false;  // A daemon of the site, or an administrator.
  uint32_t uid = UINT32_MAX;
  uint32_t gid = UINT32_MAX;
  std::vector<uint32_t> groups{};  // That the user is in besides, as this node knows them.
};

// Of one message of a proof, either way. A longer one closes the connection.
constexpr size_t kProofBytesMax = 4096;

// One side of the proof of one connection. The thread of its hub; no method blocks for long but the asking side's, which wait
// for munged.
class Proof {
 public:
  struct Step {
    std::vector<std::byte> say{};               // To the peer, at most kProofBytesMax; empty: nothing.
    std::optional<Result<Identity>> outcome{};  // Set: it is over, who the peer is, or why it is refused.
  };
  virtual ~Proof() = default;
  virtual Step begin() = 0;
  virtual Step take(std::span<const std::byte> message) = 0;
  // Whether it waits for something else than the peer: look() soon, and again.
  virtual bool is_busy() const = 0;
  virtual Step look() = 0;
  // The connection ended before the outcome.
  virtual void lost(const Error& why) = 0;
};

// Any thread. Of a domain, and so of each of its connections.
class Guard {
 public:
  virtual ~Guard() = default;
  // Whether who connects to us has to prove who it is, and hears our proof.
  virtual bool demands() const = 0;
  // Whether we talk to nobody who does not prove who it is.
  virtual bool insists() const = 0;
  // The side that is asked, and the side that asks. `peer`: for logs and errors.
  virtual std::unique_ptr<Proof> admit(const Hello& hello, const std::string& peer) const = 0;
  virtual std::unique_ptr<Proof> approach(const Hello& hello, const std::string& peer) const = 0;
};

}  // namespace godwit::fabric
