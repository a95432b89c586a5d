// The first bytes between two nodes: packet headers, hello, refusal, the introduction of RDM endpoints, and the proof of
// identity.
//
// Must hold: what is accepted is encoded to the same bytes again; an accepted endpoint name is whole, so that a provider that
// takes it for an address of its format reads nothing beyond it, and so that a log line cannot be forged with it.
#include <netinet/in.h>

#include "fabric/introduction.hpp"
#include "fabric/packet.hpp"
#include "fuzz.hpp"
#include "identity/statement.hpp"

namespace godwit::fuzz {
namespace {

using namespace fabric;
using Bytes = std::span<const std::byte>;

bool begins_with(Bytes bytes, Bytes start) {
  return bytes.size() >= start.size() && std::equal(start.begin(), start.end(), bytes.begin());
}

void read_packet(Bytes bytes) {
  const auto header = decode_packet(bytes);
  if (!header) return;
  std::array<std::byte, kHeaderBytes> again{};
  encode(*header, again.data());
  again[3] = bytes[3];  // Unused.
  must(begins_with(bytes, again), "a packet header is encoded as it was read");
}

void read_hello(Bytes bytes) {
  const auto hello = decode_hello(bytes);
  if (!hello)
    return must(hello.error().code == Errc::kProtocol || hello.error().code == Errc::kVersion,
                "a bad hello is kProtocol or kVersion");
  auto again = encode(*hello);
  again[7] = bytes[7];  // But for one bit unused.
  must(begins_with(bytes, again), "a hello is encoded as it was read");
}

void read_refusal(Bytes bytes) {
  const auto refusal = decode_refusal(bytes);
  if (!refusal) return;
  const auto again = decode_refusal(encode(*refusal));
  must(bool(again) && again->code == refusal->code, "a refusal is read as it was encoded");
  must(!error_row(refusal->code).name.empty(), "a refusal has a code that we know");
}

void expect_whole(const EndpointName& name) {
  const std::string location = location_of(name);
  if (name.format == FI_ADDR_STR) {
    const auto zero = std::find(name.bytes.begin(), name.bytes.end(), std::byte{0});
    must(name.bytes.end() - zero == 1, "a string ends with its only zero", location);
  }
  const size_t least = name.format == FI_SOCKADDR_IN    ? sizeof(sockaddr_in)
                       : name.format == FI_SOCKADDR_IN6 ? sizeof(sockaddr_in6)
                                                        : 1;
  must(name.bytes.size() >= least && name.bytes.size() <= kNameBytesMax, "an address has the size of its format", location);
  for (const char c : location) must(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an address can be printed", location);
}

void read_introduction(Bytes bytes) {
  const auto name = introduced_name(bytes);
  if (!name) return;
  expect_whole(*name);
  const auto hello = decode_hello(bytes);
  if (!hello) return;
  auto again = encode_introduction(*hello, *name);
  again[7] = bytes[7];  // Unused.
  must(std::equal(again.begin(), again.end(), bytes.begin(), bytes.end()), "an introduction is encoded as it was read");
}

void read_proof(Bytes bytes) {
  const auto is_again = [&](const auto& message) {
    must(!message || std::ranges::equal(encode(*message), bytes), "a message of a proof is encoded as it was read");
    return message ? 1 : 0;
  };
  const int taken = is_again(identity::decode_challenge(bytes)) + is_again(identity::decode_answer(bytes)) +
                    is_again(identity::decode_verdict(bytes));
  must(taken <= 1, "a message of a proof is of one kind");
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace godwit::fuzz;
  const auto bytes = std::as_bytes(std::span(data, size));
  read_packet(bytes);
  read_hello(bytes);
  read_refusal(bytes);
  read_introduction(bytes);
  read_proof(bytes);
  return 0;
}
