#include "identity/key.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/secret_file.hpp"

namespace godwit::identity {
namespace {

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

const unsigned char* bytes_of(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

}  // namespace

Result<SiteKey> SiteKey::load(const std::string& path) {
  auto bytes = read_secret_file(path, "key file", kKeyBytesMax);
  if (!bytes) return std::move(bytes).error();
  const size_t size = bytes->size();
  SiteKey key(std::move(*bytes));
  if (size < kKeyBytesMin || size > kKeyBytesMax)
    return Error{Errc::kConfig,
                 fmt::format("key file {}: {} bytes{}; {} to {} are possible, of a random generator", path,
                             std::min(size, kKeyBytesMax), size > kKeyBytesMax ? " and more" : "", kKeyBytesMin, kKeyBytesMax)};
  return key;
}

SiteKey::~SiteKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

Seal SiteKey::seal(std::span<const std::byte> statement) const {
  Seal seal{};
  size_t length = 0;
  const std::unique_ptr<EVP_MAC, FreeMac> mac(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  const std::unique_ptr<EVP_MAC_CTX, FreeMac> context(mac ? EVP_MAC_CTX_new(mac.get()) : nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  // OpenSSL has both, or we have no memory: a seal that was not made must not look like one.
  if (!context || EVP_MAC_init(context.get(), bytes_of(bytes_), bytes_.size(), parameters) != 1 ||
      EVP_MAC_update(context.get(), bytes_of(statement), statement.size()) != 1 ||
      EVP_MAC_final(context.get(), reinterpret_cast<unsigned char*>(seal.data()), &length, seal.size()) != 1 ||
      length != seal.size())
    std::abort();
  return seal;
}

bool SiteKey::is_seal_of(std::span<const std::byte> statement, std::string_view credential) const {
  return is_same(seal(statement), std::as_bytes(std::span(credential)));
}

Seal sha256(std::span<const std::byte> bytes) {
  Seal digest{};
  unsigned length = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length, EVP_sha256(), nullptr) !=
          1 ||
      length != digest.size())
    std::abort();
  return digest;
}

bool is_same(std::span<const std::byte> a, std::span<const std::byte> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace godwit::identity
