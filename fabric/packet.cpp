#include "fabric/packet.hpp"

#include "fabric/little_endian.hpp"

namespace godwit::fabric {

void encode(const PacketHeader& header, std::byte* to) {
  put_le(to, kPacketMagic);
  put_le(to + 2, static_cast<uint8_t>(header.kind));
  put_le(to + 3, uint8_t{0});
  put_le(to + 4, header.sequence);
  put_le(to + 8, header.to);
  put_le(to + 16, header.value);
}

std::optional<PacketHeader> decode_packet(std::span<const std::byte> packet) {
  if (packet.size() < kHeaderBytes || get_le<uint16_t>(packet.data()) != kPacketMagic) return std::nullopt;
  const auto kind = std::to_integer<uint8_t>(packet[2]);
  if (kind < static_cast<uint8_t>(PacketKind::kData) || kind > static_cast<uint8_t>(PacketKind::kRefuse)) return std::nullopt;
  return PacketHeader{static_cast<PacketKind>(kind), get_le<uint32_t>(&packet[4]), get_le<uint64_t>(&packet[8]),
                      get_le<uint64_t>(&packet[16])};
}

}  // namespace godwit::fabric
