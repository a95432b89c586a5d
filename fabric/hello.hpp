// Hello: the fixed bytes with which both ends of a connection introduce themselves, before any message.
// Travels as connection data of a MSG endpoint, or as the first message over RDM. Layout: docs/design/wire.md.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/id.hpp"
#include "base/result.hpp"

namespace godwit::fabric {

constexpr uint32_t kHelloMagic = 0x54574447;  // "GDWT", little-endian.
constexpr uint16_t kProtocolVersion = 4;

// What the connection is for; the listener's owner decides who serves it.
enum class Purpose : uint8_t {
  kControl = 1,  // A client's requests.
  kJob = 2,      // A source daemon drives a migration.
  kStream = 3,   // Bulk bytes: of a migration (token: its stream's id), or of a client (token zero).
};

struct Hello {
  Purpose purpose = Purpose::kControl;
  Id token;  // Of the stream that is awaited, or zero.
  // In the answer of the side that accepts: both prove who they are before anything else (guard.hpp).
  bool proof = false;
};

constexpr size_t kHelloBytes = 24;  // magic 4, version 2, purpose 1, proof 1, token 16; fits rdma_cm's private data.
std::array<std::byte, kHelloBytes> encode(const Hello& hello);
// Errors: kProtocol, not ours (a foreign peer); kVersion, ours but of another version (the text says both).
Result<Hello> decode_hello(std::span<const std::byte> bytes);

// Why a connection was refused; the connecting side gets it as its error.
struct Refusal {
  Errc code = Errc::kBusy;
};
constexpr size_t kRefusalBytes = 12;  // magic 4, version 2, zero 2, error number 4.
std::array<std::byte, kRefusalBytes> encode(const Refusal& refusal);
// Errors: as decode_hello.
Result<Refusal> decode_refusal(std::span<const std::byte> bytes);

}  // namespace godwit::fabric
