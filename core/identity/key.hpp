// SiteKey: the secret of a site without MUNGE. Whoever holds it is one of its daemons, or an administrator.
#pragma once

#include <string>
#include <vector>

#include "identity/statement.hpp"

namespace godwit::identity {

constexpr size_t kKeyBytesMin = 32;
constexpr size_t kKeyBytesMax = 4096;

// Copied freely within the process; every copy is wiped when it goes. Any thread.
class SiteKey {
 public:
  // All bytes of the file, of whatever kind. Blocks to read it. Errors, each names the file: kNotFound, kDenied, kIo; kConfig,
  // it is no regular file, belongs to somebody else than this process's user, others may read or write it, or it has fewer than
  // kKeyBytesMin or more than kKeyBytesMax bytes.
  static Result<SiteKey> load(const std::string& path);
  SiteKey(const SiteKey&) = default;
  SiteKey(SiteKey&&) noexcept = default;
  SiteKey& operator=(const SiteKey&) = delete;
  ~SiteKey();

  // HMAC-SHA256.
  Seal seal(std::span<const std::byte> statement) const;
  // In a time that does not depend on where they differ.
  bool is_seal_of(std::span<const std::byte> statement, std::string_view credential) const;

 private:
  explicit SiteKey(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::vector<std::byte> bytes_;
};

// Any thread.
Seal sha256(std::span<const std::byte> bytes);
bool is_same(std::span<const std::byte> a, std::span<const std::byte> b);

}  // namespace godwit::identity
