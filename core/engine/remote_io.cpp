#include "engine/remote_io.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

#include "engine/settle.hpp"
#include "fabric/buffer_pool.hpp"

namespace godwit::engine {
namespace {

enum class Way { kPull, kPush };

// What is on our side of a transfer: a run of a target, or memory.
class Local {
 public:
  Local(pmem::Target& target, uint64_t offset_bytes) : target_(&target), offset_bytes_(offset_bytes) {}
  explicit Local(std::span<std::byte> bytes) : bytes_(bytes) {}

  // All of it, if it can be addressed.
  std::span<std::byte> memory(uint64_t length_bytes) const {
    return target_ == nullptr ? bytes_ : target_->memory({offset_bytes_, length_bytes});
  }
  Result<> read(uint64_t offset_bytes, std::span<std::byte> into) const {
    if (target_ != nullptr) return target_->read(offset_bytes_ + offset_bytes, into);
    std::memcpy(into.data(), bytes_.data() + offset_bytes, into.size());
    return Done{};
  }
  Result<> write(uint64_t offset_bytes, std::span<const std::byte> from) const {
    if (target_ != nullptr) return target_->write(offset_bytes_ + offset_bytes, from);
    std::memcpy(bytes_.data() + offset_bytes, from.data(), from.size());
    return Done{};
  }

 private:
  pmem::Target* target_ = nullptr;
  uint64_t offset_bytes_ = 0;
  std::span<std::byte> bytes_;
};

// One transfer: chunks of block_bytes, `window` of them in flight; direct if the memory can be registered, else staged.
class Transfer {
 public:
  Transfer(Way way, fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, const Local& local,
           const fabric::RemoteMemory& remote, const EngineSettings& settings)
      : way_(way),
        channel_(channel),
        domain_(std::move(domain)),
        local_(local),
        length_bytes_(remote.length_bytes),
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
    while (next_ < length_bytes_ || !in_flight_.empty()) {
      while (next_ < length_bytes_ && in_flight_.size() < settings_.window())
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
    if (const auto memory = local_.memory(length_bytes_); !memory.empty()) {
      auto registered = domain_->register_memory(memory, fabric::Access::kLocal);
      if (registered) {
        direct_.emplace(std::move(*registered));
        return Done{};
      }
      // Staged instead: this kind of mapping cannot be registered, or not so much of it may be locked.
      const Errc code = registered.error().code;
      if (code != Errc::kUnsupported && code != Errc::kMemory) return std::move(registered).error();
    }
    const auto chunks = (length_bytes_ + chunk_bytes_ - 1) / chunk_bytes_;
    const auto buffers = static_cast<uint32_t>(std::clamp<uint64_t>(chunks, 1, settings_.window()));
    auto pool = fabric::BufferPool::create(domain_, chunk_bytes_, buffers, fabric::Access::kLocal);
    if (!pool) return std::move(pool).error();
    ring_.emplace(std::move(*pool));
    for (uint32_t i = 0; i < buffers; ++i) free_.push_back(i);
    return Done{};
  }

  Result<> start_chunk() {
    const uint64_t offset = next_;
    Chunk chunk{std::min(chunk_bytes_, length_bytes_ - offset), 0};
    std::span<std::byte> bytes;
    if (direct_) {
      bytes = direct_->bytes().subspan(offset, chunk.length_bytes);
    } else {
      chunk.buffer = free_.back();  // As many buffers as chunks in flight.
      free_.pop_back();
      bytes = ring_->buffer(chunk.buffer).first(chunk.length_bytes);
      if (way_ == Way::kPush)
        if (auto read = local_.read(offset, bytes); !read) return read;
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
    return local_.write(offset, ring_->buffer(chunk.buffer).first(chunk.length_bytes));
  }

  const Way way_;
  fabric::Channel& channel_;
  const std::shared_ptr<fabric::Domain> domain_;
  const Local local_;
  const uint64_t length_bytes_;
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
  return Transfer(Way::kPull, channel, std::move(domain), Local(target, offset_bytes), window, settings).run();
}

Result<> push_to(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, pmem::Target& target, uint64_t offset_bytes,
                 const fabric::RemoteMemory& window, const EngineSettings& settings) {
  return Transfer(Way::kPush, channel, std::move(domain), Local(target, offset_bytes), window, settings).run();
}

Result<> pull_into(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, std::span<std::byte> bytes,
                   const fabric::RemoteMemory& window, const EngineSettings& settings) {
  return Transfer(Way::kPull, channel, std::move(domain), Local(bytes), window, settings).run();
}

Result<> push_bytes(fabric::Channel& channel, std::shared_ptr<fabric::Domain> domain, std::span<std::byte> bytes,
                    const fabric::RemoteMemory& window, const EngineSettings& settings) {
  return Transfer(Way::kPush, channel, std::move(domain), Local(bytes), window, settings).run();
}

}  // namespace godwit::engine
