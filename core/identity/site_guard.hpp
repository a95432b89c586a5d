// SiteGuard: the guard of a site: MUNGE, or a key file, or none.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "fabric/guard.hpp"
#include "identity/check_queue.hpp"
#include "identity/key.hpp"
#include "identity/statement.hpp"

namespace godwit::identity {

struct SiteSettings {
  // Of a daemon: what it demands of those who connect to it, and insists on where it connects to. kNone: nothing.
  // Of a client: what it insists on; kNone: it proves what it is asked for, if it can.
  Method method = Method::kNone;
  bool is_daemon = false;
  std::optional<SiteKey> key{};       // With kKey.
  std::string munge_socket{};         // Empty: MUNGE's default.
  Id node{};                          // Of a daemon: its id.
  bool is_private = false;            // Of a daemon: those whom it does not trust are refused, also if they prove who they are.
  std::set<uint32_t> trusted_uids{};  // Besides root and this process's own user: administrators; of whom a client believes
                                      // that it runs daemons.
};

// Any thread.
class SiteGuard final : public fabric::Guard {
 public:
  explicit SiteGuard(SiteSettings settings);
  bool demands() const override;
  bool insists() const override;
  std::unique_ptr<fabric::Proof> admit(const fabric::Hello& hello, const std::string& peer) const override;
  std::unique_ptr<fabric::Proof> approach(const fabric::Hello& hello, const std::string& peer) const override;

 private:
  const std::shared_ptr<const SiteSettings> settings_;
  const std::unique_ptr<CheckQueue> checks_;
};

// Of a client, from its environment: GODWIT_KEY_FILE, GODWIT_MUNGE_SOCKET, GODWIT_DAEMON_USER (docs/howto/identity.md).
// Blocks to read the key. Errors: as SiteKey::load; kConfig, no such user.
Result<std::shared_ptr<const fabric::Guard>> guard_of_client();
// A user's name or number. Blocks to look it up. Errors: kConfig, there is none.
Result<uint32_t> uid_of(const std::string& name_or_number);

}  // namespace godwit::identity
