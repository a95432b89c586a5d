// Packet: what one send carries over a connection; messages are one packet or several. Layout: docs/design/wire.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace godwit::fabric {

enum class PacketKind : uint8_t {
  kData = 1,       // A message, or a fragment of one.
  kKeepalive = 2,  // "I am here": sent when there was nothing else to say.
  kBye = 3,        // The sender closes; over RDM, where the endpoint outlives the connection.
  kHello = 4,      // RDM only: Hello, then the sender's endpoint name.
  kAccept = 5,     // RDM only: Hello, then the name of the endpoint that serves the connection.
  kRefuse = 6,     // RDM only: Refusal.
};

struct PacketHeader {
  PacketKind kind = PacketKind::kData;
  uint32_t sequence = 0;  // Counts kData and kBye of one direction: RDM providers may complete receives out of order.
  uint64_t to = 0;        // The receiver's number of the connection; 0: none yet (kHello), or a MSG endpoint.
  uint64_t value = 0;     // kData: bytes of the whole message. kHello, kAccept: the sender's number of the connection.
};

constexpr size_t kHeaderBytes = 24;
constexpr uint16_t kPacketMagic = 0x5747;  // "GW", little-endian.

void encode(const PacketHeader& header, std::byte* to);
// Nothing if it is too short, not ours, or of an unknown kind.
std::optional<PacketHeader> decode_packet(std::span<const std::byte> packet);

}  // namespace godwit::fabric
