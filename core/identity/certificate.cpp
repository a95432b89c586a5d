#include "identity/certificate.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstdio>

#include "base/secret_file.hpp"

namespace godwit::identity {
namespace {

constexpr size_t kPrivateKeyBytesMax = 64 << 10;

struct FreeOpenssl {
  void operator()(BIO* bytes) const { BIO_free(bytes); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};

// A daemon has nobody to ask for a password.
int no_password(char*, int, int, void*) { return -1; }

}  // namespace

void Certificate::Free::operator()(x509_st* certificate) const { X509_free(certificate); }

Result<Certificate> Certificate::load(const std::string& path) {
  const std::unique_ptr<std::FILE, FreeOpenssl> file(std::fopen(path.c_str(), "re"));
  if (!file) return error_from_errno(Errc::kIo, "certificate " + path, errno);
  x509_st* certificate = PEM_read_X509(file.get(), nullptr, no_password, nullptr);
  ERR_clear_error();
  if (certificate == nullptr) return Error{Errc::kConfig, fmt::format("{} holds no certificate in PEM", path)};
  return Certificate(path, certificate);
}

Result<> Certificate::check_key(const std::string& path) const {
  auto bytes = read_secret_file(path, "private key", kPrivateKeyBytesMax);
  if (!bytes) return std::move(bytes).error();
  const std::unique_ptr<BIO, FreeOpenssl> memory(BIO_new_mem_buf(bytes->data(), static_cast<int>(bytes->size())));
  if (!memory) return Error{Errc::kMemory, "no memory for the private key " + path};
  const std::unique_ptr<EVP_PKEY, FreeOpenssl> key(PEM_read_bio_PrivateKey(memory.get(), nullptr, no_password, nullptr));
  const bool fits = key && X509_check_private_key(certificate_.get(), key.get()) == 1;
  ERR_clear_error();
  OPENSSL_cleanse(bytes->data(), bytes->size());
  if (!key) return Error{Errc::kConfig, fmt::format("{} holds no private key in PEM without a password", path)};
  if (!fits) return Error{Errc::kConfig, fmt::format("{} is not the key of the certificate {}", path, path_)};
  return Done{};
}

}  // namespace godwit::identity
