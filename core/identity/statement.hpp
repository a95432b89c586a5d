// Statement: the three messages with which both ends of a connection prove who they are, and what they prove it over.
// Layout: docs/design/identity.md. The server says Challenge, the client Answer, the server Verdict.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/id.hpp"
#include "base/result.hpp"
#include "fabric/hello.hpp"

namespace godwit::identity {

// Part of the protocol: never renumbered.
enum class Method : uint8_t { kNone = 0, kMunge = 1, kKey = 2 };
std::string_view to_string(Method method);

using Nonce = std::array<std::byte, 32>;
using Seal = std::array<std::byte, 32>;  // A SHA-256, or an HMAC made with it.
constexpr size_t kCredentialBytesMax = 2048;

// From the kernel's generator. Any thread.
Nonce random_nonce();

struct Challenge {
  Method method = Method::kNone;
  Id node;
  Nonce nonce{};
};
struct Answer {
  uint32_t uid = 0, gid = 0;  // Whom the client claims to be.
  Nonce nonce{};              // For the server's proof.
  std::string credential;     // Any bytes, 1 to kCredentialBytesMax.
};
struct Verdict {
  bool accepted = false;  // False: nothing else is said.
  uint32_t uid = 0, gid = 0;
  std::string credential;
};

std::vector<std::byte> encode(const Challenge& challenge);
std::vector<std::byte> encode(const Answer& answer);
std::vector<std::byte> encode(const Verdict& verdict);
// Errors: kProtocol, not such a message, or of another size than it says. Any thread.
Result<Challenge> decode_challenge(std::span<const std::byte> bytes);
Result<Answer> decode_answer(std::span<const std::byte> bytes);
Result<Verdict> decode_verdict(std::span<const std::byte> bytes);

// What a credential is made over: it is worth nothing on another connection, for another node or purpose, or as the other
// side's.
enum class Side : uint8_t { kClient = 1, kServer = 2 };
std::vector<std::byte> statement(Side side, const Challenge& challenge, const Nonce& client_nonce, const fabric::Hello& hello,
                                 uint32_t uid, uint32_t gid);

}  // namespace godwit::identity
