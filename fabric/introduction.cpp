#include "fabric/introduction.hpp"

#include "fabric/little_endian.hpp"

namespace godwit::fabric {

namespace {
constexpr size_t kNameAt = kHelloBytes + 4;  // After its format.
}

std::vector<std::byte> encode_introduction(const Hello& hello, const EndpointName& name) {
  const auto head = encode(hello);
  std::vector<std::byte> bytes(head.begin(), head.end());
  bytes.resize(kNameAt);
  put_le(&bytes[kHelloBytes], name.format);
  bytes.insert(bytes.end(), name.bytes.begin(), name.bytes.end());
  return bytes;
}

std::optional<EndpointName> introduced_name(std::span<const std::byte> introduction) {
  if (introduction.size() <= kNameAt || introduction.size() > kNameAt + kNameBytesMax) return std::nullopt;
  EndpointName name{get_le<uint32_t>(&introduction[kHelloBytes]), {introduction.begin() + kNameAt, introduction.end()}};
  if (!is_whole(name)) return std::nullopt;
  return name;
}

}  // namespace godwit::fabric
