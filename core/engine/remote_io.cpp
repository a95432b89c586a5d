#include "engine/remote_io.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "engine/settle.hpp"
#include "fabric/buffer_pool.hpp"

namespace godwit::engine {
namespace {

enum class Way { kPull, kPush };

// One transfer: chunks of block_bytes, `window` of them in flight; direct if the memory can be registered, else staged.
class Transfer {
 public:
  // `memory`: the local bytes, as long as the remote ones; or, if empty, they are at `offset_bytes` of the target.
  Transfer(Way way, fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, std::span<std::byte> memory,
           pmem::Target* target, uint64_t offset_bytes, const fabric::RemoteMemory& remote, const EngineSettings& settings)
      : way_(way),
        channel_(channel),
        domain_(std::move(domain)),
        memory_(memory),
        target_(target),
        extent_{offset_bytes, remote.length_bytes},
        remote_(remote),
        settings_(settings),
        chunk_bytes_(
            std::min({settings.block_bytes, domain_->limits().max_message_bytes, std::max<uint64_t>(1, remote.length_bytes)})) {
  }

  Result<> run() {
    auto outcome = move();
    if (!outcome) settle(channel_, in_flight_.size());  // Nothing may land in, or leave from, memory that is freed.
    return outcome;
  }

 private:
  Result<> move() {
    if (auto ready = prepare(); !ready) return ready;
    while (next_ < extent_.length_bytes || !in_flight_.empty()) {
      while (next_ < extent_.length_bytes && in_flight_.size() < settings_.window())
        if (auto started = start_chunk(); !started) return started;
      auto event = channel_.wait(Deadline::after(settings_.stall_timeout));
      if (!event) return std::move(event).error();
      const auto* done = std::get_if<fabric::RmaDone>(&*event);
      if (done == nullptr)
        return Error{Errc::kProtocol, fmt::format("{} sent a message while its transfer runs", channel_.peer())};
      const Chunk chunk = in_flight_.extract(done->token).mapped();
      if (!done->outcome) return done->outcome;
      if (auto finished = finish_chunk(done->token, chunk); !finished) return finished;
    }
    return Done{};
  }

  struct Chunk {
    uint64_t length_bytes;
    uint32_t buffer;
  };

  Result<> prepare() {
    if (const auto memory = target_ != nullptr ? target_->memory(extent_) : memory_; !memory.empty()) {
      auto registered = domain_->register_memory(memory, fabric::Access::kLocal);
      if (registered) {
        direct_.emplace(std::move(*registered));
        return Done{};
      }
      // Staged instead: this kind of mapping cannot be registered, or not so much of it may be locked.
      const Errc code = registered.error().code;
      if (target_ == nullptr || (code != Errc::kUnsupported && code != Errc::kMemory)) return std::move(registered).error();
    }
    const auto chunks = (extent_.length_bytes + chunk_bytes_ - 1) / chunk_bytes_;
    const auto buffers = static_cast<uint32_t>(std::clamp<uint64_t>(chunks, 1, settings_.window()));
    auto pool = fabric::BufferPool::create(domain_, chunk_bytes_, buffers, fabric::Access::kLocal);
    if (!pool) return std::move(pool).error();
    ring_.emplace(std::move(*pool));
    for (uint32_t i = 0; i < buffers; ++i) free_.push_back(i);
    return Done{};
  }

  Result<> start_chunk() {
    const uint64_t offset = next_;
    Chunk chunk{std::min(chunk_bytes_, extent_.length_bytes - offset), 0};
    std::span<std::byte> bytes;
    if (direct_) {
      bytes = direct_->bytes().subspan(offset, chunk.length_bytes);
    } else {
      chunk.buffer = free_.back();  // As many buffers as chunks in flight.
      free_.pop_back();
      bytes = ring_->buffer(chunk.buffer).first(chunk.length_bytes);
      if (way_ == Way::kPush)
        if (auto read = target_->read(extent_.offset_bytes + offset, bytes); !read) return read;
    }
    next_ += chunk.length_bytes;
    const fabric::Registration& local = direct_ ? *direct_ : ring_->registration();
    const auto deadline = Deadline::after(settings_.stall_timeout);
    auto posted = way_ == Way::kPull ? channel_.read(bytes, local, remote_, offset, offset, deadline)
                                     : channel_.write(bytes, local, remote_, offset, offset, deadline);
    if (posted) in_flight_.emplace(offset, chunk);
    return posted;
  }

  Result<> finish_chunk(uint64_t offset, const Chunk& chunk) {
    if (direct_) return Done{};
    free_.push_back(chunk.buffer);
    if (way_ == Way::kPush) return Done{};
    return target_->write(extent_.offset_bytes + offset, ring_->buffer(chunk.buffer).first(chunk.length_bytes));
  }

  const Way way_;
  fabric::Channel& channel_;
  const std::shared_ptr<fabric::Domain> domain_;
  const std::span<std::byte> memory_;
  pmem::Target* const target_;
  const Extent extent_;  // Within the target.
  const fabric::RemoteMemory remote_;
  const EngineSettings& settings_;
  const uint64_t chunk_bytes_;
  std::optional<fabric::Registration> direct_;
  std::optional<fabric::BufferPool> ring_;
  std::vector<uint32_t> free_;
  std::map<uint64_t, Chunk> in_flight_;  // By offset.
  uint64_t next_ = 0;
};

}  // namespace

Result<> pull_from(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, pmem::Target& target,
                   uint64_t offset_bytes, const fabric::RemoteMemory& window, const EngineSettings& settings) {
  return Transfer(Way::kPull, channel, std::move(domain), {}, &target, offset_bytes, window, settings).run();
}

Result<> push_to(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, pmem::Target& target, uint64_t offset_bytes,
                 const fabric::RemoteMemory& window, const EngineSettings& settings) {
  return Transfer(Way::kPush, channel, std::move(domain), {}, &target, offset_bytes, window, settings).run();
}

Result<> pull_into(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, std::span<std::byte> memory,
                   const fabric::RemoteMemory& window, const EngineSettings& settings) {
  if (memory.empty()) return Done{};
  if (memory.size() != window.length_bytes) return Error{Errc::kInternal, "a window of another length than its memory"};
  return Transfer(Way::kPull, channel, std::move(domain), memory, nullptr, 0, window, settings).run();
}

}  // namespace godwit::engine
