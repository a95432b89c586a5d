// Codec: control messages as bytes and back. Decoding verifies first: no field of a message that failed is ever read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/id.hpp"
#include "base/result.hpp"
#include "model/transfer.hpp"
#include "protocol/aligned.hpp"
#include "wire_generated.h"

namespace godwit::protocol {

// A verified message; valid as long as the bytes it was decoded from.
class Decoded {
 public:
  const wire::Message& message() const { return *message_; }
  uint64_t request() const { return message_->request(); }
  wire::Body type() const { return message_->body_type(); }
  // The body if it is a T, else NULL.
  template <class T>
  const T* body() const {
    return message_->body_as<T>();
  }

 private:
  friend Result<Decoded> decode(std::span<const std::byte> bytes);
  explicit Decoded(std::span<const std::byte> bytes) : bytes_(bytes) {}
  Aligned bytes_;
  const wire::Message* message_ = nullptr;
};

// Errors: kProtocol, the verifier refuses it, or it has no body. Any thread.
Result<Decoded> decode(std::span<const std::byte> bytes);

// Builds messages into one buffer that is used again and again; the span is valid until the next build(). One thread.
class Encoder {
 public:
  flatbuffers::FlatBufferBuilder& builder() { return builder_; }
  template <class T>
  std::span<const std::byte> finish(uint64_t request, flatbuffers::Offset<T> body) {
    return finish(request, wire::BodyTraits<T>::enum_value, body.Union());
  }
  // An ErrorReply. `moved_*`: where the object went, and its id there, for kMoved.
  std::span<const std::byte> error(uint64_t request, const Error& error, const std::string& moved_address = {},
                                   const std::string& moved_target = {}, const Id& moved_id = {});

 private:
  std::span<const std::byte> finish(uint64_t request, wire::Body type, flatbuffers::Offset<void> body);
  flatbuffers::FlatBufferBuilder builder_{16384};
};

inline wire::Id to_wire(const Id& id) { return wire::Id(id.high, id.low); }
inline Id from_wire(const wire::Id& id) { return Id{id.high(), id.low()}; }
inline Id from_wire(const wire::Id* id) { return id == nullptr ? Id{} : from_wire(*id); }
inline wire::DigestValue to_wire(const Digest& digest) { return wire::DigestValue(digest.high, digest.low); }
inline Digest from_wire(const wire::DigestValue& digest) { return Digest{digest.high(), digest.low()}; }
wire::Transfer to_wire(const model::Transfer& transfer);
// A field that may be absent: all zeros. Not checked.
model::Transfer from_wire(const wire::Transfer* transfer);
// A string field that may be absent.
inline std::string text_of(const flatbuffers::String* string) { return string == nullptr ? std::string() : string->str(); }
// A bit for each, lowest first, in whole bytes; and back, with the last byte's zeros at the end.
std::vector<uint8_t> bits_of(const std::vector<bool>& values);
std::vector<bool> from_bits(const flatbuffers::Vector<uint8_t>* bits);
// The error that a peer sent, its text cleaned of control characters.
Error from_wire(const wire::ErrorReply& reply);

}  // namespace godwit::protocol
