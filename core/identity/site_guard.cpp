#include "identity/site_guard.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <mutex>

#include "base/log.hpp"
#include "identity/munge.hpp"
#include "identity/user_groups.hpp"

namespace godwit::identity {
namespace {

using fabric::Hello;
using fabric::Identity;
using fabric::Proof;

constexpr const char* kRemedy = "run munged on this node, or set GODWIT_KEY_FILE to the site's key";

bool is_trusted(const SiteSettings& settings, uint32_t uid) {
  return uid == 0 || uid == geteuid() || settings.trusted_uids.contains(uid);
}

// Proves that this process made the statement. Blocks for munged.
Result<std::string> make_credential(const SiteSettings& settings, Method method, std::span<const std::byte> statement) {
  if (method == Method::kMunge) return munge_encode(settings.munge_socket, sha256(statement));
  if (!settings.key) return Error{Errc::kDenied, "a key is asked for, and this side has none"};
  const Seal seal = settings.key->seal(statement);
  return std::string(reinterpret_cast<const char*>(seal.data()), seal.size());
}

// Who made this statement, in which it claims to be `uid` and `gid`. Blocks for munged. Errors: for logs, never for peers.
Result<Identity> check_credential(const SiteSettings& settings, Method method, std::span<const std::byte> statement,
                                  const std::string& credential, uint32_t uid, uint32_t gid) {
  if (method == Method::kKey) {
    if (!settings.key || !settings.key->is_seal_of(statement, credential))
      return Error{Errc::kDenied, "it was not made with our key, or for another connection"};
    return Identity{.is_trusted = true, .uid = uid, .gid = gid};
  }
  const auto made_by = munge_decode(settings.munge_socket, credential, sha256(statement));
  if (!made_by) return made_by.error();
  if (made_by->uid != uid || made_by->gid != gid)
    return Error{Errc::kDenied, fmt::format("the credential is that of user {}, group {}", made_by->uid, made_by->gid)};
  return Identity{.is_trusted = is_trusted(settings, uid), .uid = uid, .gid = gid};
}

// ---------------------------------------------------------------- the side that is asked

class Admission final : public Proof {
 public:
  Admission(std::shared_ptr<const SiteSettings> settings, CheckQueue& checks, Hello hello, std::string peer)
      : settings_(std::move(settings)), checks_(checks), hello_(hello), peer_(std::move(peer)) {}

  Step begin() override {
    challenge_ = {settings_->method, settings_->node, random_nonce()};
    return {.say = encode(challenge_)};
  }

  Step take(std::span<const std::byte> message) override {
    if (result_) return refuse("it said more than its proof");
    auto answer = decode_answer(message);
    if (!answer) return refuse(answer.error().text);
    claimed_ = fmt::format("user {}, group {}", answer->uid, answer->gid);
    result_ = std::make_shared<Pending>();
    auto check = [settings = settings_, challenge = challenge_, hello = hello_, answer = std::move(*answer), result = result_] {
      auto checked = check_answer(*settings, challenge, hello, answer);
      const std::lock_guard lock(result->mutex);
      result->checked = std::move(checked);
    };
    if (settings_->method == Method::kKey) {
      check();
      return look();
    }
    if (auto submitted = checks_.submit(std::move(check)); !submitted) return refuse(submitted.error().text);
    return {};
  }

  bool is_busy() const override { return result_ != nullptr; }

  Step look() override {
    const std::lock_guard lock(result_->mutex);
    if (!result_->checked) return {};
    Result<Checked>& checked = *result_->checked;
    if (!checked) return refuse(checked.error().text);
    return {.say = encode(checked->verdict), .outcome = checked->identity};
  }

  void lost(const Error& why) override { log::warn("{} did not prove who it is ({}): {}", peer_, claimed_, why.text); }

 private:
  struct Checked {
    Identity identity;
    Verdict verdict;
  };
  struct Pending {
    std::mutex mutex;
    std::optional<Result<Checked>> checked;  // Guarded by mutex.
  };

  // On a thread of the queue, which may outlive this.
  static Result<Checked> check_answer(const SiteSettings& settings, const Challenge& challenge, const Hello& hello,
                                      const Answer& answer) {
    const auto theirs = statement(Side::kClient, challenge, answer.nonce, hello, answer.uid, answer.gid);
    auto identity = check_credential(settings, challenge.method, theirs, answer.credential, answer.uid, answer.gid);
    if (!identity) return std::move(identity).error();
    if (!identity->is_trusted && settings.is_private)
      return Error{Errc::kDenied, "identity.private: that is neither this daemon's user, nor root, nor an administrator"};
    if (!identity->is_trusted) identity->groups = groups_of(identity->uid, identity->gid);
    Verdict verdict{.accepted = true, .uid = geteuid(), .gid = getegid(), .credential = {}};
    const auto ours = statement(Side::kServer, challenge, answer.nonce, hello, verdict.uid, verdict.gid);
    auto credential = make_credential(settings, challenge.method, ours);
    if (!credential) return std::move(credential).error();
    verdict.credential = std::move(*credential);
    return Checked{*identity, std::move(verdict)};
  }

  // The peer learns nothing of the reason, which is logged.
  Step refuse(const std::string& why) {
    log::warn("{} is refused: it claims to be {}: {}", peer_, claimed_, log::printable(why));
    return {.say = encode(Verdict{}), .outcome = Error{Errc::kDenied, peer_ + " could not prove who it is"}};
  }

  const std::shared_ptr<const SiteSettings> settings_;
  CheckQueue& checks_;
  const Hello hello_;
  const std::string peer_;
  Challenge challenge_;
  std::string claimed_ = "nobody yet";
  std::shared_ptr<Pending> result_;  // Once there is an answer.
};

// ---------------------------------------------------------------- the side that asks

class Approach final : public Proof {
 public:
  Approach(std::shared_ptr<const SiteSettings> settings, Hello hello, std::string peer)
      : settings_(std::move(settings)), hello_(hello), peer_(std::move(peer)) {
    hello_.proof = false;
  }

  Step begin() override { return {}; }
  bool is_busy() const override { return false; }
  Step look() override { return {}; }
  void lost(const Error&) override {}  // Whoever connects hears of it.

  Step take(std::span<const std::byte> message) override { return has_answered_ ? conclude(message) : answer(message); }

 private:
  Step give_up(Errc code, const std::string& why) const { return {.say = {}, .outcome = Error{code, peer_ + ": " + why}}; }

  Step answer(std::span<const std::byte> message) {
    const auto challenge = decode_challenge(message);
    if (!challenge) return give_up(Errc::kProtocol, challenge.error().text);
    challenge_ = *challenge;
    if (settings_->method != Method::kNone && challenge_.method != settings_->method)
      return give_up(Errc::kDenied, fmt::format("it asks for a proof by {}, and this side is set to {}",
                                                to_string(challenge_.method), to_string(settings_->method)));
    const uint32_t uid = geteuid();
    const uint32_t gid = getegid();
    auto credential =
        make_credential(*settings_, challenge_.method, statement(Side::kClient, challenge_, nonce_, hello_, uid, gid));
    if (!credential)
      return give_up(Errc::kDenied, fmt::format("it asks for a proof by {}: {}: {}", to_string(challenge_.method),
                                                credential.error().text, kRemedy));
    has_answered_ = true;
    return {.say = encode(Answer{uid, gid, nonce_, std::move(*credential)})};
  }

  Step conclude(std::span<const std::byte> message) {
    const auto verdict = decode_verdict(message);
    if (!verdict) return give_up(Errc::kProtocol, verdict.error().text);
    if (!verdict->accepted) return give_up(Errc::kDenied, std::string("identity refused: ") + kRemedy);
    const auto theirs = statement(Side::kServer, challenge_, nonce_, hello_, verdict->uid, verdict->gid);
    const auto identity =
        check_credential(*settings_, challenge_.method, theirs, verdict->credential, verdict->uid, verdict->gid);
    if (!identity) return give_up(Errc::kDenied, "the daemon could not prove who it is: " + identity.error().text);
    if (!identity->is_trusted)
      return give_up(Errc::kDenied,
                     fmt::format("user {} runs the daemon, neither root nor this user; to trust it, set {}", identity->uid,
                                 settings_->is_daemon ? "identity.administrators" : "GODWIT_DAEMON_USER"));
    return {.say = {}, .outcome = *identity};
  }

  const std::shared_ptr<const SiteSettings> settings_;
  Hello hello_;
  const std::string peer_;
  const Nonce nonce_ = random_nonce();
  Challenge challenge_;
  bool has_answered_ = false;
};

std::string variable(const char* name) {
  const char* value = secure_getenv(name);  // Not of the user who runs a privileged program.
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

SiteGuard::SiteGuard(SiteSettings settings)
    : settings_(std::make_shared<const SiteSettings>(std::move(settings))), checks_(std::make_unique<CheckQueue>()) {}

bool SiteGuard::demands() const { return settings_->is_daemon && settings_->method != Method::kNone; }
bool SiteGuard::insists() const { return settings_->method != Method::kNone; }

std::unique_ptr<Proof> SiteGuard::admit(const Hello& hello, const std::string& peer) const {
  return std::make_unique<Admission>(settings_, *checks_, hello, peer);
}

std::unique_ptr<Proof> SiteGuard::approach(const Hello& hello, const std::string& peer) const {
  return std::make_unique<Approach>(settings_, hello, peer);
}

Result<std::shared_ptr<const fabric::Guard>> guard_of_client() {
  SiteSettings settings;
  if (const std::string path = variable("GODWIT_KEY_FILE"); !path.empty()) {
    auto key = SiteKey::load(path);
    if (!key) return with_context("GODWIT_KEY_FILE", std::move(key).error());
    settings.key.emplace(std::move(*key));
    settings.method = Method::kKey;
  }
  settings.munge_socket = variable("GODWIT_MUNGE_SOCKET");
  if (!settings.munge_socket.empty() && settings.method == Method::kNone) settings.method = Method::kMunge;
  if (const std::string user = variable("GODWIT_DAEMON_USER"); !user.empty()) {
    const auto uid = uid_of(user);
    if (!uid) return with_context("GODWIT_DAEMON_USER", uid.error());
    settings.trusted_uids.insert(*uid);
  }
  return std::shared_ptr<const fabric::Guard>(std::make_shared<SiteGuard>(std::move(settings)));
}

Result<uint32_t> uid_of(const std::string& name_or_number) {
  uint32_t uid = 0;
  const char* end = name_or_number.data() + name_or_number.size();
  if (const auto [stop, failed] = std::from_chars(name_or_number.data(), end, uid); failed == std::errc{} && stop == end)
    return uid;
  std::vector<char> room(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (getpwnam_r(name_or_number.c_str(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return Error{Errc::kConfig, "there is no user '" + name_or_number + "'"};
  return uint32_t{found->pw_uid};
}

}  // namespace godwit::identity
