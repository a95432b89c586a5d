#include "engine/client_streams.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/log.hpp"
#include "engine/caller.hpp"
#include "engine/remote_io.hpp"
#include "objects/database/database_work.hpp"
#include "objects/region_entry.hpp"
#include "protocol/batch.hpp"

namespace godwit::engine {

namespace {

constexpr milliseconds kIdleMax{60'000};
constexpr milliseconds kLook{200};  // How often an idle stream sees that the daemon stops.

fabric::RemoteMemory from_wire(const wire::Window& window) { return {window.address(), window.key(), window.length_bytes()}; }

}  // namespace

// A share of the memory for databases' batches and answers, given back when destroyed.
class ClientStreams::Buffers {
 public:
  // Errors: kBusy, others have it now; their clients, and this one, ask again.
  static Result<Buffers> take(ClientStreams& owner, uint64_t bytes) {
    uint64_t used = owner.database_bytes_;
    do {
      if (bytes > owner.settings_.database_buffer_bytes - used)
        return Error{Errc::kBusy, "too many large batches are under way; try again"};
    } while (!owner.database_bytes_.compare_exchange_weak(used, used + bytes));
    return Buffers(owner, bytes);
  }
  Buffers(Buffers&& other) noexcept : owner_(other.owner_), bytes_(std::exchange(other.bytes_, 0)) {}
  Buffers& operator=(Buffers&&) = delete;
  ~Buffers() { owner_.database_bytes_ -= bytes_; }

 private:
  Buffers(ClientStreams& owner, uint64_t bytes) : owner_(owner), bytes_(bytes) {}
  ClientStreams& owner_;
  uint64_t bytes_;
};

// One client's stream; one thread.
class ClientStreams::Session {
 public:
  Session(ClientStreams& owner, std::shared_ptr<fabric::Domain> domain, fabric::Channel channel, std::string address)
      : owner_(owner),
        domain_(std::move(domain)),
        channel_(std::move(channel)),
        caller_(caller_of(channel_.identity())),
        address_(std::move(address)) {}

  // Until the client leaves. Every error ends the stream: its client opens another one.
  Result<> run() {
    auto last = Clock::now();
    while (!owner_.stopping_ && Clock::now() - last < kIdleMax) {
      auto event = channel_.wait(Deadline::after(kLook));
      if (!event) {
        if (event.error().code == Errc::kTimeout) continue;
        return std::move(event).error();
      }
      last = Clock::now();
      const auto* bytes = std::get_if<fabric::Message>(&*event);
      if (bytes == nullptr) continue;
      auto message = protocol::decode(*bytes);
      if (!message) return std::move(message).error();
      auto reply = answer(*message);
      const auto sent = reply ? channel_.send(*reply) : refuse(message->request(), reply.error());
      if (!sent) return sent;
      last = Clock::now();
    }
    return Done{};
  }

 private:
  using Reply = Result<std::span<const std::byte>>;

  Result<> refuse(uint64_t request, Error error) {
    if (error.code == Errc::kMoved)
      return channel_.send(encoder_.error(request, error, moved_.address, moved_.target, moved_.id));
    return channel_.send(encoder_.error(request, with_context("node " + address_, std::move(error))));
  }

  Reply answer(const protocol::Decoded& message) {
    if (const auto* create = message.body<wire::RegionCreateRequest>()) return this->create(message.request(), *create);
    if (const auto* write = message.body<wire::RegionWriteRequest>())
      return access(message.request(), objects::Use::kWrite, write->id(), {write->offset_bytes(), write->length_bytes()},
                    write->window());
    if (const auto* read = message.body<wire::RegionReadRequest>())
      return access(message.request(), objects::Use::kRead, read->id(), {read->offset_bytes(), read->length_bytes()},
                    read->window());
    if (const auto* work = message.body<wire::DatabaseWorkRequest>()) return this->work(message.request(), *work);
    return Error{Errc::kProtocol, "this message has no place on a stream"};
  }

  Reply create(uint64_t request, const wire::RegionCreateRequest& create) {
    if (create.window() == nullptr || create.target() == nullptr || create.window()->length_bytes() != create.size_bytes())
      return Error{Errc::kProtocol, "the create request lacks its target, or its window is of another size"};
    auto target = owner_.store_.target(create.target()->str());
    if (!target) return std::move(target).error();
    const fabric::RemoteMemory window = from_wire(*create.window());
    auto region = objects::create_owned(owner_.store_, owner_.permissions_, caller_, **target, protocol::text_of(create.name()),
                                        create.size_bytes(), [&](objects::Region& made) {
                                          return pull_from(channel_, domain_, made.target, made.extent.offset_bytes, window,
                                                           owner_.settings_);
                                        });
    if (!region) return std::move(region).error();
    return encoder_.finish(
        request, wire::CreateRegionReply(encoder_.builder(), objects::region_entry(encoder_.builder(), **region, address_,
                                                                                   owner_.permissions_.of((*region)->id))));
  }

  Reply access(uint64_t request, objects::Use use, const wire::Id* id, Extent range, const wire::Window* window) {
    if (id == nullptr || window == nullptr || window->length_bytes() != range.length_bytes)
      return Error{Errc::kProtocol, "the request lacks its region, or its window is of another size"};
    const auto want = use == objects::Use::kWrite ? objects::Want::kWrite : objects::Want::kRead;
    if (auto may = objects::check_region(owner_.permissions_, caller_, protocol::from_wire(*id), want); !may)
      return std::move(may).error();
    auto found = objects::find_or_moved(owner_.store_, protocol::from_wire(*id), moved_);
    if (!found) return std::move(found).error();
    objects::Region& region = **found;
    auto access = region.enter(use);
    if (!access) return std::move(access).error();
    if (auto inside = objects::check_range(region, range); !inside) return std::move(inside).error();
    const uint64_t offset_bytes = region.extent.offset_bytes + range.offset_bytes;
    auto moved = use == objects::Use::kWrite
                     ? pull_from(channel_, domain_, region.target, offset_bytes, from_wire(*window), owner_.settings_)
                     : push_to(channel_, domain_, region.target, offset_bytes, from_wire(*window), owner_.settings_);
    if (!moved) return with_context(region.describe(), std::move(moved).error());
    if (use == objects::Use::kWrite) return encoder_.finish(request, wire::CreateDoneReply(encoder_.builder()));
    return encoder_.finish(request, wire::CreateRegionReadReply(encoder_.builder()));
  }

  // An operation on a database, whose batch or answer is too long for a message.
  Reply work(uint64_t request, const wire::DatabaseWorkRequest& work) {
    const auto from = work.batch_window() == nullptr ? fabric::RemoteMemory{} : from_wire(*work.batch_window());
    const auto to = work.result_window() == nullptr ? fabric::RemoteMemory{} : from_wire(*work.result_window());
    if (work.id() == nullptr || (work.batch_window() != nullptr && work.batch() != nullptr))
      return Error{Errc::kProtocol, "the request names no database, or has a batch and a window for one"};
    if (from.length_bytes > protocol::kBatchBytesMax || to.length_bytes > protocol::kBatchBytesMax)
      return Error{Errc::kLimit, fmt::format("a window of {} bytes; {} are allowed",
                                             std::max(from.length_bytes, to.length_bytes), protocol::kBatchBytesMax)};
    if (auto may = objects::check_work(owner_.permissions_, caller_, work); !may) return std::move(may).error();
    auto found = objects::found_or_moved(owner_.databases_.find(protocol::from_wire(*work.id())),
                                         to_string(protocol::from_wire(*work.id())), moved_);
    if (!found) return std::move(found).error();
    const uint64_t room = std::max(to.length_bytes, std::min(work.result_bytes_max(), protocol::kInlineResultBytesMax));
    const auto buffers = Buffers::take(owner_, from.length_bytes + room);
    if (!buffers) return buffers.error();

    std::string batch(from.length_bytes, '\0');
    if (work.batch() != nullptr) {
      batch.assign(reinterpret_cast<const char*>(work.batch()->data()), work.batch()->size());
    } else if (!batch.empty()) {
      auto pulled = pull_into(channel_, domain_, std::as_writable_bytes(std::span(batch)), from, owner_.settings_);
      if (!pulled) return with_context((*found)->describe(), std::move(pulled).error());
    }
    auto answer = objects::work_on(**found, work, batch, room);
    if (!answer) return std::move(answer).error();
    const bool in_window = answer->result.size() > std::min(work.result_bytes_max(), protocol::kInlineResultBytesMax);
    if (in_window) {
      const fabric::RemoteMemory part{to.address, to.key, answer->result.size()};
      auto pushed = push_bytes(channel_, domain_, std::as_writable_bytes(std::span(answer->result)), part, owner_.settings_);
      if (!pushed) return with_context((*found)->describe(), std::move(pushed).error());
    }
    return objects::database_answer(encoder_, request, *answer, in_window);
  }

  ClientStreams& owner_;
  const std::shared_ptr<fabric::Domain> domain_;
  fabric::Channel channel_;
  const objects::Caller caller_;
  const std::string address_;
  protocol::Encoder encoder_;
  objects::Moved moved_;  // Of the last request that found its region gone.
};

ClientStreams::ClientStreams(const EngineSettings& settings, uint32_t streams_max, objects::RegionStore& store,
                             objects::DatabaseStore& databases, objects::Permissions& permissions)
    : settings_(settings),
      store_(store),
      databases_(databases),
      permissions_(permissions),
      threads_("client stream", streams_max, settings.on_thread_start) {}

void ClientStreams::stop() {
  stopping_ = true;
  threads_.join_all();
}

Result<> ClientStreams::serve(std::shared_ptr<fabric::Domain> domain, fabric::Incoming incoming, std::string address) {
  auto shared = std::make_shared<fabric::Incoming>(std::move(incoming));
  return threads_.start([this, domain = std::move(domain), shared, address = std::move(address)] {
    auto channel = fabric::Channel::accept(domain, std::move(*shared), Deadline::after(settings_.connect_timeout));
    if (!channel) {
      log::debug("a client's stream was not completed: {}", channel.error().text);
      return;
    }
    if (auto ended = Session(*this, domain, std::move(*channel), address).run(); !ended)
      log::debug("a client's stream ended: {}", ended.error().text);
  });
}

}  // namespace godwit::engine
