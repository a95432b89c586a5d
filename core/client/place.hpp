// Place: where an object, a job or a plan was last, and the way after it when it is elsewhere.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "base/result.hpp"
#include "client/client.hpp"
#include "client/reply.hpp"
#include "fabric/address.hpp"

namespace godwit::client {

enum class WhenBusy { kFail, kWait };

// Of what is followed to another node.
enum class Follow { kAsClient, kAlways };

// When a call that moves, clears or flushes so many bytes has to end. A number that a daemon will refuse may be any.
Deadline transfer_deadline(const Client& client, uint64_t bytes);

// Thread-safe. The client must outlive it.
class Place {
 public:
  // Asks one node; a refusal is a reply.
  using Attempt = std::function<Result<Reply>(const fabric::Address&)>;

  // `subject`: "region 0123..ef", for errors. `follow`: always, or if the client's settings say so.
  Place(Client& client, fabric::Address address, std::string subject, Follow follow = Follow::kAsClient)
      : client_(client),
        follows_(follow == Follow::kAlways || client.settings().follow),
        subject_(std::move(subject)),
        address_(std::move(address)) {}

  Client& client() const { return client_; }
  fabric::Address address() const;
  // Later calls ask there first.
  void move_to(const fabric::Address& address);

  // Attempts it wherever the object is, until a node neither is busy nor knows a newer place. Never a refusal.
  // Errors: those of the attempt and of the refusal; kMoved, it is not followed, or too often; the text names the
  // object.
  Result<Reply> reach(WhenBusy when_busy, const Attempt& attempt);
  // The same for what is answered with DoneReply alone.
  Result<> reach_done(WhenBusy when_busy, const Attempt& attempt);
  // Of the region, database or plan `id`, which is here.
  Result<> change_mode(const Id& id, uint32_t mode);
  Error about(Error error) const;

 private:
  // Where the refusal sends us. Errors: kMoved, it is not followed, or the daemon does not say where to.
  Result<fabric::Address> follow(const fabric::Address& from, const Reply& moved, int hops) const;

  Client& client_;
  const bool follows_;
  const std::string subject_;

  mutable std::mutex mutex_;
  fabric::Address address_;  // Guarded by mutex_.
};

}  // namespace godwit::client
