// What an etcd is shown: certificates and their keys, made here.
#include "identity/certificate.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>

#include "support/daemon.hpp"

namespace godwit::identity {
namespace {

struct FreeMade {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeMade>;
using File = std::unique_ptr<std::FILE, FreeMade>;

class CertificateTest : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return directory_.path() + "/" + name; }
  static Key new_key() { return Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")); }
  // Signed by itself.
  std::string write_certificate(const std::string& name, EVP_PKEY* key) const {
    const std::unique_ptr<X509, FreeMade> made(X509_new());
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 3600);
    X509_set_pubkey(made.get(), key);
    EXPECT_GT(X509_sign(made.get(), key, EVP_sha256()), 0);
    const File file(std::fopen(path(name).c_str(), "w"));
    EXPECT_EQ(PEM_write_X509(file.get(), made.get()), 1);
    return path(name);
  }
  std::string write_key(const std::string& name, EVP_PKEY* key, const char* password = nullptr) const {
    const File file(std::fopen(path(name).c_str(), "w"));
    EXPECT_EQ(PEM_write_PKCS8PrivateKey(file.get(), key, password == nullptr ? nullptr : EVP_aes_256_cbc(), password,
                                        password == nullptr ? 0 : 6, nullptr, nullptr),
              1);
    chmod(path(name).c_str(), 0600);
    return path(name);
  }
  static void expect_unfit(const Result<>& done, const std::string& file, const std::string& why) {
    ASSERT_FALSE(done) << why;
    EXPECT_EQ(done.error().code, Errc::kConfig) << done.error().text;
    EXPECT_NE(done.error().text.find(file), std::string::npos) << done.error().text;
    EXPECT_NE(done.error().text.find(why), std::string::npos) << done.error().text;
  }

  const test::TemporaryDirectory directory_;
};

TEST_F(CertificateTest, IsTakenWithItsOwnKey) {
  const Key key = new_key();
  const auto certificate = Certificate::load(write_certificate("cert", key.get()));
  ASSERT_TRUE(certificate) << certificate.error().text;
  EXPECT_TRUE(certificate->check_key(write_key("key", key.get())));
}

TEST_F(CertificateTest, IsRefusedWithWhatIsNotItsKey) {
  const Key key = new_key(), other = new_key();
  const auto certificate = Certificate::load(write_certificate("cert", key.get()));
  ASSERT_TRUE(certificate) << certificate.error().text;
  expect_unfit(certificate->check_key(write_key("other", other.get())), path("other"), "is not the key of");
  expect_unfit(certificate->check_key(write_key("locked", key.get(), "secret")), path("locked"), "without a password");
  std::ofstream(path("none")) << "no key";
  chmod(path("none").c_str(), 0600);
  expect_unfit(certificate->check_key(path("none")), path("none"), "no private key");
  const std::string readable = write_key("readable", key.get());
  chmod(readable.c_str(), 0640);
  expect_unfit(certificate->check_key(readable), readable, "0640");
  EXPECT_EQ(certificate->check_key(path("lost")).error().code, Errc::kNotFound);
}

TEST_F(CertificateTest, WhatIsNoneIsRefused) {
  EXPECT_EQ(Certificate::load(path("lost")).error().code, Errc::kNotFound);
  const Key key = new_key();
  const auto none = Certificate::load(write_key("key", key.get()));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::kConfig);
  EXPECT_NE(none.error().text.find(path("key")), std::string::npos) << none.error().text;
}

}  // namespace
}  // namespace godwit::identity
