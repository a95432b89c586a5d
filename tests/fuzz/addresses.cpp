// Addresses as users and peers write them: "provider://location", "host:port", and endpoint names in both directions.
//
// Must hold: an accepted address is printed as it was written, within 256 bytes and without control characters; a port is at
// most 65535; an endpoint name becomes a location, and this the same name again.
#include "fabric/address.hpp"

#include <netinet/in.h>

#include "fabric/endpoint_name.hpp"
#include "fuzz.hpp"

namespace godwit::fuzz {
namespace {

using fabric::EndpointName;

void read_address(const std::string& text) {
  const auto address = fabric::parse_address(text);
  if (!address) return must(address.error().code == Errc::kInvalid, "a bad address is kInvalid", text);
  must(fabric::to_string(*address) == text, "an address is printed as it was written", text);
  must(text.size() <= 256 && !address->provider.empty() && !address->location.empty(), "an address is within its limits", text);
  for (const char c : text)
    must(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an address has no control characters", text);
}

void read_host_and_port(const std::string& text) {
  const auto parts = fabric::split_host_port(text);
  if (!parts) return must(parts.error().code == Errc::kInvalid, "a bad location is kInvalid", text);
  const auto& [host, port] = *parts;
  must(port.empty() || std::stoul(port) <= 65535, "a port is at most 65535", text);
  must(host.size() + port.size() <= text.size(), "host and port are parts of the location", text);
}

EndpointName name_of(uint32_t format, const void* bytes, size_t length) {
  const auto* start = static_cast<const std::byte*>(bytes);
  return {format, {start, start + length}};
}

// The name service is not asked: locations of socket addresses are numeric.
void expect_again(const EndpointName& name) {
  const std::string location = fabric::location_of(name);
  fi_info info{};
  info.addr_format = name.format;
  const auto again = fabric::resolve(info, location);
  must(bool(again), "a location can be resolved", location);
  must(*again == name, "a location means the endpoint that it was made of", location);
}

void name_sockets(Input input) {
  sockaddr_in four{};
  four.sin_family = AF_INET;
  four.sin_port = input.number<uint16_t>();
  four.sin_addr.s_addr = input.number<uint32_t>();
  expect_again(name_of(FI_SOCKADDR_IN, &four, sizeof four));
  sockaddr_in6 six{};
  six.sin6_family = AF_INET6;
  six.sin6_port = input.number<uint16_t>();
  for (auto& byte : six.sin6_addr.s6_addr) byte = input.byte();
  expect_again(name_of(FI_SOCKADDR_IN6, &six, sizeof six));
}

void name_others(std::span<const uint8_t> bytes) {
  constexpr uint32_t kFormatOfAProvider = FI_ADDR_PSMX2;
  if (!bytes.empty()) expect_again(name_of(kFormatOfAProvider, bytes.data(), bytes.size()));
  // Whatever a peer claims its name to be, it can be shown.
  for (const uint32_t format : {FI_SOCKADDR, FI_SOCKADDR_IN, FI_SOCKADDR_IN6, FI_SOCKADDR_IB, FI_ADDR_STR})
    (void)fabric::location_of(name_of(format, bytes.data(), bytes.size()));
}

void read_hex(const std::string& text) {
  fi_info info{};
  info.addr_format = FI_ADDR_PSMX2;
  if (auto name = fabric::resolve(info, text)) must(name->bytes.size() * 2 == text.size(), "two digits a byte", text);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit::fuzz;
  const std::string text = text_of(data, size);
  read_address(text);
  read_host_and_port(text);
  read_hex(text);
  name_sockets(Input(data, size));
  name_others({data, size});
  return 0;
}
