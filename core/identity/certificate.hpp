// Certificate: what this daemon shows an etcd that asks its clients who they are.
#pragma once

#include <memory>
#include <string>

#include "base/result.hpp"

struct x509_st;

namespace godwit::identity {

// One thread.
class Certificate {
 public:
  // The first certificate of a PEM file. Blocks to read it. Errors, each names the file: kNotFound, kDenied, kIo; kConfig, it
  // holds none.
  static Result<Certificate> load(const std::string& path);

  // Whether the private key in the PEM file at `path` is this certificate's. Blocks to read it. Errors, each names the file:
  // those of read_secret_file(); kConfig, it holds no key, one with a password, or that of another certificate.
  Result<> check_key(const std::string& path) const;

 private:
  struct Free {
    void operator()(x509_st* certificate) const;
  };
  Certificate(std::string path, x509_st* certificate) : path_(std::move(path)), certificate_(certificate) {}

  std::string path_;
  std::unique_ptr<x509_st, Free> certificate_;
};

}  // namespace godwit::identity
