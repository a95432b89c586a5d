#include "fabric/hello.hpp"

#include "fabric/little_endian.hpp"

namespace godwit::fabric {

namespace {

// Errors: as decode_hello. The size is not compared: rdma_cm pads private data with zeros.
Result<> check_head(std::span<const std::byte> bytes, size_t size_bytes) {
  if (bytes.size() < 6 || get_le<uint32_t>(bytes.data()) != kHelloMagic) {
    return Error{Errc::kProtocol, "the peer does not speak Godwit's protocol"};
  }
  const auto version = get_le<uint16_t>(bytes.data() + 4);
  if (version != kProtocolVersion) {
    return Error{Errc::kVersion, "the peer speaks version " + std::to_string(version) + " of the protocol, this side version " +
                                     std::to_string(kProtocolVersion) + "; install the same release on both nodes"};
  }
  if (bytes.size() < size_bytes) return Error{Errc::kProtocol, "the peer's hello is too short"};
  return Done{};
}

}  // namespace

std::array<std::byte, kHelloBytes> encode(const Hello& hello) {
  std::array<std::byte, kHelloBytes> bytes{};
  put_le(&bytes[0], kHelloMagic);
  put_le(&bytes[4], kProtocolVersion);
  put_le(&bytes[6], static_cast<uint8_t>(hello.purpose));
  put_le(&bytes[7], static_cast<uint8_t>(hello.proof ? 1 : 0));
  put_le(&bytes[8], hello.token.high);
  put_le(&bytes[16], hello.token.low);
  return bytes;
}

Result<Hello> decode_hello(std::span<const std::byte> bytes) {
  if (auto head = check_head(bytes, kHelloBytes); !head) return std::move(head).error();
  const auto purpose = std::to_integer<uint8_t>(bytes[6]);
  if (purpose < static_cast<uint8_t>(Purpose::kControl) || purpose > static_cast<uint8_t>(Purpose::kStream)) {
    return Error{Errc::kProtocol, "the peer's hello has the unknown purpose " + std::to_string(purpose)};
  }
  return Hello{static_cast<Purpose>(purpose), Id{get_le<uint64_t>(&bytes[8]), get_le<uint64_t>(&bytes[16])},
               (bytes[7] & std::byte{1}) != std::byte{}};
}

std::array<std::byte, kRefusalBytes> encode(const Refusal& refusal) {
  std::array<std::byte, kRefusalBytes> bytes{};
  put_le(&bytes[0], kHelloMagic);
  put_le(&bytes[4], kProtocolVersion);
  put_le(&bytes[8], static_cast<uint32_t>(refusal.code));
  return bytes;
}

Result<Refusal> decode_refusal(std::span<const std::byte> bytes) {
  if (auto head = check_head(bytes, kRefusalBytes); !head) return std::move(head).error();
  return Refusal{error_from_number(static_cast<int32_t>(get_le<uint32_t>(&bytes[8])))};
}

}  // namespace godwit::fabric
