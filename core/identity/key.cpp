#include "identity/key.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>

namespace godwit::identity {
namespace {

struct FreeMac {
  void operator()(EVP_MAC* mac) const { EVP_MAC_free(mac); }
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};

const unsigned char* bytes_of(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

class File {
 public:
  // A pipe without a writer shall not hold us up.
  explicit File(const std::string& path) : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

Error unfit(const std::string& path, const std::string& why) { return Error{Errc::kConfig, "key file " + path + ": " + why}; }

}  // namespace

Result<SiteKey> SiteKey::load(const std::string& path) {
  const File file(path);
  if (file.fd() < 0) return error_from_errno(Errc::kIo, "key file " + path, errno);
  struct stat status {};
  if (fstat(file.fd(), &status) != 0) return error_from_errno(Errc::kIo, "key file " + path, errno);
  if (!S_ISREG(status.st_mode)) return unfit(path, "not a regular file");
  if (status.st_uid != geteuid())
    return unfit(path, fmt::format("it belongs to user {}, and this process is user {}: chown it", status.st_uid, geteuid()));
  if ((status.st_mode & 07177) != 0)
    return unfit(path, fmt::format("its mode is {:04o}: others than its owner may not use it; chmod 0600 (or 0400)",
                                   status.st_mode & 07777));
  std::vector<std::byte> bytes(kKeyBytesMax + 1);
  size_t size = 0;
  for (;;) {
    const ssize_t got = read(file.fd(), bytes.data() + size, bytes.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(Errc::kIo, "key file " + path, errno);
    size += static_cast<size_t>(got);
    if (got == 0 || size == bytes.size()) break;
  }
  SiteKey key({bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size)});
  OPENSSL_cleanse(bytes.data(), bytes.size());
  if (size < kKeyBytesMin || size > kKeyBytesMax)
    return unfit(path, fmt::format("{} bytes{}; {} to {} are possible, of a random generator", std::min(size, kKeyBytesMax),
                                   size > kKeyBytesMax ? " and more" : "", kKeyBytesMin, kKeyBytesMax));
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
