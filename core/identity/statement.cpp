#include "identity/statement.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cstdlib>

#include "fabric/little_endian.hpp"

namespace godwit::identity {
namespace {

using fabric::get_le;
using fabric::put_le;

constexpr uint32_t kMagic = 0x49574447;  // "GDWI", little-endian.
enum class Kind : uint8_t { kChallenge = 1, kAnswer = 2, kVerdict = 3 };
constexpr size_t kHeadBytes = 8;  // magic 4, kind 1, detail 1, length of the credential 2.
constexpr size_t kNonceBytes = sizeof(Nonce);
constexpr size_t kChallengeBytes = kHeadBytes + 16 + kNonceBytes;
constexpr size_t kAnswerBytes = kHeadBytes + 8 + kNonceBytes;  // And the credential.
constexpr size_t kVerdictBytes = kHeadBytes + 8;               // And the credential.
constexpr std::string_view kDomain = "godwit identity 1";

class Writer {
 public:
  template <std::unsigned_integral T>
  Writer& number(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    put_le(&bytes_[at], value);
    return *this;
  }
  Writer& bytes(std::span<const std::byte> more) {
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    return *this;
  }
  Writer& id(const Id& id) { return number(id.high).number(id.low); }
  Writer& head(Kind kind, uint8_t detail, size_t credential_bytes) {
    return number(kMagic).number(static_cast<uint8_t>(kind)).number(detail).number(static_cast<uint16_t>(credential_bytes));
  }
  std::vector<std::byte> take() { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

Error damaged() { return Error{Errc::kProtocol, "what should prove an identity is no such message"}; }

struct Head {
  uint8_t detail = 0;
  size_t credential_bytes = 0;
};

// `fixed_bytes`: all but the credential.
Result<Head> read_head(std::span<const std::byte> bytes, Kind kind, size_t fixed_bytes) {
  if (bytes.size() < fixed_bytes || get_le<uint32_t>(&bytes[0]) != kMagic || bytes[4] != static_cast<std::byte>(kind))
    return damaged();
  const Head head{std::to_integer<uint8_t>(bytes[5]), get_le<uint16_t>(&bytes[6])};
  if (head.credential_bytes > kCredentialBytesMax || bytes.size() != fixed_bytes + head.credential_bytes) return damaged();
  return head;
}

Nonce nonce_at(const std::byte* from) {
  Nonce nonce{};
  std::copy_n(from, nonce.size(), nonce.begin());
  return nonce;
}

std::string text_at(std::span<const std::byte> bytes, size_t from) {
  return {reinterpret_cast<const char*>(bytes.data()) + from, bytes.size() - from};
}

}  // namespace

std::string_view to_string(Method method) {
  switch (method) {
    case Method::kNone: return "none";
    case Method::kMunge: return "munge";
    case Method::kKey: return "key";
  }
  return "?";
}

Nonce random_nonce() {
  Nonce nonce{};
  // So few bytes come whole, or the kernel has no generator: nothing can be proved then.
  if (getrandom(nonce.data(), nonce.size(), 0) != static_cast<ssize_t>(nonce.size())) std::abort();
  return nonce;
}

std::vector<std::byte> encode(const Challenge& challenge) {
  return Writer()
      .head(Kind::kChallenge, static_cast<uint8_t>(challenge.method), 0)
      .id(challenge.node)
      .bytes(challenge.nonce)
      .take();
}

std::vector<std::byte> encode(const Answer& answer) {
  return Writer()
      .head(Kind::kAnswer, 0, answer.credential.size())
      .number(answer.uid)
      .number(answer.gid)
      .bytes(answer.nonce)
      .bytes(std::as_bytes(std::span(answer.credential)))
      .take();
}

std::vector<std::byte> encode(const Verdict& verdict) {
  return Writer()
      .head(Kind::kVerdict, verdict.accepted ? 1 : 0, verdict.credential.size())
      .number(verdict.uid)
      .number(verdict.gid)
      .bytes(std::as_bytes(std::span(verdict.credential)))
      .take();
}

Result<Challenge> decode_challenge(std::span<const std::byte> bytes) {
  const auto head = read_head(bytes, Kind::kChallenge, kChallengeBytes);
  if (!head) return head.error();
  if (head->credential_bytes != 0 ||
      (head->detail != static_cast<uint8_t>(Method::kMunge) && head->detail != static_cast<uint8_t>(Method::kKey)))
    return damaged();
  return Challenge{static_cast<Method>(head->detail),
                   Id{get_le<uint64_t>(&bytes[kHeadBytes]), get_le<uint64_t>(&bytes[kHeadBytes + 8])},
                   nonce_at(&bytes[kHeadBytes + 16])};
}

Result<Answer> decode_answer(std::span<const std::byte> bytes) {
  const auto head = read_head(bytes, Kind::kAnswer, kAnswerBytes);
  if (!head) return head.error();
  if (head->detail != 0 || head->credential_bytes == 0) return damaged();
  return Answer{get_le<uint32_t>(&bytes[kHeadBytes]), get_le<uint32_t>(&bytes[kHeadBytes + 4]),
                nonce_at(&bytes[kHeadBytes + 8]), text_at(bytes, kAnswerBytes)};
}

Result<Verdict> decode_verdict(std::span<const std::byte> bytes) {
  const auto head = read_head(bytes, Kind::kVerdict, kVerdictBytes);
  if (!head) return head.error();
  if (head->detail > 1 || (head->detail == 1) != (head->credential_bytes != 0)) return damaged();
  return Verdict{head->detail == 1, get_le<uint32_t>(&bytes[kHeadBytes]), get_le<uint32_t>(&bytes[kHeadBytes + 4]),
                 text_at(bytes, kVerdictBytes)};
}

std::vector<std::byte> statement(Side side, const Challenge& challenge, const Nonce& client_nonce, const fabric::Hello& hello,
                                 uint32_t uid, uint32_t gid) {
  return Writer()
      .bytes(std::as_bytes(std::span(kDomain)))
      .number(static_cast<uint8_t>(side))
      .number(static_cast<uint8_t>(challenge.method))
      .id(challenge.node)
      .bytes(challenge.nonce)
      .bytes(client_nonce)
      .number(static_cast<uint8_t>(hello.purpose))
      .id(hello.token)
      .number(uid)
      .number(gid)
      .take();
}

}  // namespace godwit::identity
