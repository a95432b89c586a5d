// PlanLink: a connection on which a plan asks one destination what it would take, and measures the way there.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/domains.hpp"
#include "engine/settings.hpp"
#include "fabric/channel.hpp"
#include "journal/journal.hpp"
#include "objects/database/database.hpp"
#include "objects/permissions.hpp"
#include "protocol/codec.hpp"

namespace godwit::engine {

// What a destination is asked about: objects of one kind, for one place.
struct PlanQuestion {
  struct Object {
    journal::JobObject manifest;
    std::vector<std::byte> listing = {};                  // Of files.
    const objects::DatabaseIdentity* database = nullptr;  // Of a database.
    std::optional<objects::Permission> permission = {};  // Of files: whose rights they are written with. Nothing: the daemon's.
  };
  std::string place;  // A target, a directory; of databases: "".
  bool copy = false;
  std::vector<Object> objects;
};

// One thread.
class PlanLink {
 public:
  // `source`: where this node is reached from there. `cancelled` ends every wait for an answer. Blocks until open. Errors: as
  // fabric::Channel::connect.
  static Result<PlanLink> open(Domains& domains, const std::string& source, const std::string& destination, const Id& node,
                               const EngineSettings& settings, const std::atomic<bool>& cancelled);

  // Bytes a second that one stream carries, the median of three rounds or more of at most 64 MiB in all; blocks for about a
  // second at most where the way is not slower than some MiB a second. Errors: those of the channel and of the destination;
  // kCancelled.
  Result<double> measure();
  // Why the destination would not take each object; Errc{}: it would. Nothing is reserved there when this returns. Blocks.
  // Errors: as measure(); kProtocol.
  Result<std::vector<Error>> ask(const PlanQuestion& question);

 private:
  PlanLink(fabric::Channel channel, std::shared_ptr<fabric::Domain> domain, std::string source, const Id& node,
           const EngineSettings& settings, const std::atomic<bool>& cancelled)
      : channel_(std::move(channel)),
        domain_(std::move(domain)),
        source_(std::move(source)),
        node_(node),
        settings_(settings),
        cancelled_(&cancelled) {}
  Result<fabric::Message> exchange(std::span<const std::byte> request);
  Result<double> round(std::span<std::byte> bytes);

  fabric::Channel channel_;
  std::shared_ptr<fabric::Domain> domain_;
  std::string source_;
  Id node_;
  const EngineSettings& settings_;
  const std::atomic<bool>* cancelled_;
  protocol::Encoder encoder_;
  uint64_t next_request_ = 1;
};

}  // namespace godwit::engine
