#include "protocol/codec.hpp"

#include "base/log.hpp"

namespace godwit::protocol {
namespace {

constexpr size_t kDepthMax = 8;         // The schema nests three deep.
constexpr size_t kTablesMax = 200'000;  // An offer of 100,000 objects has as many, and some.

}  // namespace

Result<Decoded> decode(std::span<const std::byte> bytes) {
  const Error damaged{Errc::kProtocol, "the peer sent a control message that is damaged or of another version"};
  // The verifier takes the identifier's place for granted: a buffer shorter than that is not a message.
  if (bytes.size() < sizeof(flatbuffers::uoffset_t) + flatbuffers::kFileIdentifierLength) return damaged;
  Decoded decoded(bytes);
  flatbuffers::Verifier verifier(decoded.bytes_.data(), bytes.size(), kDepthMax, kTablesMax);
  if (!wire::VerifyMessageBuffer(verifier)) return damaged;
  decoded.message_ = wire::GetMessage(decoded.bytes_.data());
  const auto& table = *reinterpret_cast<const flatbuffers::Table*>(decoded.message_);
  if (!vectors_are_aligned(table, *wire::MessageTypeTable())) return damaged;
  if (decoded.message_->body_type() == wire::Body::NONE || decoded.message_->body() == nullptr) return damaged;
  return decoded;
}

std::span<const std::byte> Encoder::finish(uint64_t request, wire::Body type, flatbuffers::Offset<void> body) {
  wire::FinishMessageBuffer(builder_, wire::CreateMessage(builder_, request, type, body));
  const std::span<const std::byte> bytes{reinterpret_cast<const std::byte*>(builder_.GetBufferPointer()), builder_.GetSize()};
  builder_.Clear();  // Keeps the memory, unlike Reset(): the bytes stay until the next build.
  return bytes;
}

std::span<const std::byte> Encoder::error(uint64_t request, const Error& error, const std::string& moved_address,
                                          const std::string& moved_target, const Id& moved_id) {
  const wire::Id id = to_wire(moved_id);
  const std::string text = log::printable(error.text);  // It may quote what a stranger called something.
  return finish(request, wire::CreateErrorReplyDirect(builder_, static_cast<int32_t>(error.code), text.c_str(),
                                                      moved_address.empty() ? nullptr : moved_address.c_str(),
                                                      moved_target.empty() ? nullptr : moved_target.c_str(),
                                                      moved_id.is_zero() ? nullptr : &id));
}

wire::Transfer to_wire(const model::Transfer& transfer) {
  return wire::Transfer(transfer.block_bytes, transfer.bandwidth_bytes_per_second, transfer.streams,
                        static_cast<uint8_t>(transfer.compression), static_cast<uint8_t>(transfer.priority), transfer.verify,
                        transfer.approval, transfer.window.begin, transfer.window.end, transfer.max_downtime_ms);
}

model::Transfer from_wire(const wire::Transfer* transfer) {
  if (transfer == nullptr) return {};
  return {transfer->block_bytes(),
          transfer->streams(),
          transfer->bandwidth_bytes_per_second(),
          static_cast<model::Compression>(transfer->compression()),
          static_cast<model::Priority>(transfer->priority()),
          {transfer->window_begin(), transfer->window_end()},
          transfer->verify(),
          transfer->approval(),
          transfer->max_downtime_ms()};
}

std::vector<uint8_t> bits_of(const std::vector<bool>& values) {
  std::vector<uint8_t> bits((values.size() + 7) / 8);
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i]) bits[i / 8] = static_cast<uint8_t>(bits[i / 8] | 1 << i % 8);
  return bits;
}

std::vector<bool> from_bits(const flatbuffers::Vector<uint8_t>* bits) {
  std::vector<bool> values;
  if (bits == nullptr) return values;
  for (const uint8_t byte : *bits)
    for (int bit = 0; bit < 8; ++bit) values.push_back((byte >> bit & 1) != 0);
  return values;
}

Error from_wire(const wire::ErrorReply& reply) {
  return Error{error_from_number(reply.error()), log::printable(text_of(reply.text()))};
}

}  // namespace godwit::protocol
