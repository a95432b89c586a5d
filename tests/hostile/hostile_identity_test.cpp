// Peers of a daemon that wants to know who they are, and that do not say so as our clients do.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "fabric/channel.hpp"
#include "fabric/provider.hpp"
#include "identity/site_guard.hpp"
#include "protocol/codec.hpp"
#include "support/daemon.hpp"
#include "support/waiting.hpp"

namespace {

using namespace godwit;
using fabric::Purpose;
using identity::Method;
using Bytes = std::vector<std::byte>;

// Says what its test likes, and believes everything.
class ScriptedGuard final : public fabric::Guard {
 public:
  using Script = std::function<Bytes(const Bytes& message, int number)>;
  explicit ScriptedGuard(Script script) : script_(std::move(script)) {}
  bool demands() const override { return false; }
  bool insists() const override { return false; }
  std::unique_ptr<fabric::Proof> admit(const fabric::Hello&, const std::string&) const override { return nullptr; }
  std::unique_ptr<fabric::Proof> approach(const fabric::Hello&, const std::string&) const override {
    return std::make_unique<Scripted>(script_);
  }

 private:
  class Scripted final : public fabric::Proof {
   public:
    explicit Scripted(const Script& script) : script_(script) {}
    Step begin() override { return {}; }
    // After the second message it takes itself for admitted, whatever it has heard.
    Step take(std::span<const std::byte> message) override {
      Step step{.say = script_({message.begin(), message.end()}, ++number_)};
      if (number_ > 1) step.outcome = fabric::Identity{};
      return step;
    }
    bool is_busy() const override { return false; }
    Step look() override { return {}; }
    void lost(const Error&) override {}

   private:
    const Script script_;
    int number_ = 0;
  };
  const Script script_;
};

std::shared_ptr<fabric::Domain> domain_with(std::shared_ptr<const fabric::Guard> guard) {
  auto choice = fabric::choose_provider({"tcp", "", false});
  auto opened = fabric::Domain::open(std::move(*choice), std::move(guard));
  EXPECT_TRUE(opened) << opened.error().text;
  return *opened;
}

class HostileIdentity : public testing::Test {
 protected:
  HostileIdentity() : key_(load(write_key('k'))), daemon_(options()) {}
  void TearDown() override {
    // Whatever was done to it, it serves who proves who he is.
    auto channel = open(std::make_shared<identity::SiteGuard>(identity::SiteSettings{.method = Method::kKey, .key = key_}));
    ASSERT_TRUE(channel) << channel.error().text << daemon_.log();
    EXPECT_EQ(answer_to_ping(*channel), wire::Body::PingReply);
    EXPECT_EQ(daemon_.terminate(), 0) << daemon_.log();
  }

  std::string write_key(char byte) {
    const std::string path = directory_.path() + "/" + byte;
    std::ofstream(path) << std::string(32, byte);
    chmod(path.c_str(), 0600);
    return path;
  }
  static identity::SiteKey load(const std::string& path) { return *identity::SiteKey::load(path); }
  test::DaemonOptions options() {
    test::DaemonOptions options;
    options.more = R"("identity": {"method": "key", "key_file": ")" + directory_.path() + "/k\"}";
    return options;
  }
  Result<fabric::Channel> open(std::shared_ptr<const fabric::Guard> guard, Purpose purpose = Purpose::kControl) const {
    return fabric::Channel::connect(domain_with(std::move(guard)), *fabric::parse_address(daemon_.address()), {purpose, {}},
                                    Deadline::after(milliseconds(10'000)));
  }
  // A proof as our clients make it.
  Bytes answer_to(const Bytes& challenge, Purpose purpose = Purpose::kControl) const {
    const auto approach = identity::SiteGuard({.method = Method::kKey, .key = key_}).approach({purpose, {}}, "tcp://daemon");
    return approach->take(challenge).say;
  }
  static wire::Body answer_to_ping(fabric::Channel& channel) {
    protocol::Encoder encoder;
    if (!channel.send(encoder.finish(1, wire::CreatePingRequest(encoder.builder())))) return wire::Body::NONE;
    const auto event = channel.wait(Deadline::after(milliseconds(10'000)));
    if (!event) return wire::Body::NONE;
    const auto decoded = protocol::decode(std::get<fabric::Message>(*event));
    return decoded ? decoded->type() : wire::Body::NONE;
  }
  // The daemon says no more than that it refuses, and hangs up: nothing is served.
  void expect_refused(const ScriptedGuard::Script& first, Purpose purpose = Purpose::kControl) const {
    Bytes heard;
    auto channel = open(std::make_shared<ScriptedGuard>([&](const Bytes& message, int number) {
                          if (number > 1) heard = message;
                          return number > 1 ? Bytes{} : first(message, number);
                        }),
                        purpose);
    if (channel) {
      EXPECT_EQ(answer_to_ping(*channel), wire::Body::NONE);
    }
    EXPECT_TRUE(heard.empty() || heard == encode(identity::Verdict{}));
  }
  void expect_logged(const std::string& text) const {
    EXPECT_TRUE(test::comes_true([&] { return daemon_.log().find(text) != std::string::npos; })) << daemon_.log();
  }

  const test::TemporaryDirectory directory_;
  const identity::SiteKey key_;
  test::Daemon daemon_;
};

TEST_F(HostileIdentity, WithoutAProofNothingIsServed) {
  protocol::Encoder encoder;
  auto& builder = encoder.builder();
  const wire::Id zero(0, 0);
  const std::vector<std::function<std::span<const std::byte>()>> requests{
      [&] { return encoder.finish(1, wire::CreatePingRequest(builder)); },
      [&] { return encoder.finish(1, wire::CreateRegionListRequestDirect(builder, "", &zero, 10)); },
      [&] { return encoder.finish(1, wire::CreateDoctorRequest(builder)); },
      [&] { return encoder.finish(1, wire::CreateDecisionRequest(builder, &zero)); },
  };
  for (const auto& request : requests)
    expect_refused([&](const Bytes&, int) {
      const auto bytes = request();
      return Bytes(bytes.begin(), bytes.end());
    });
  expect_logged("claims to be nobody yet");
}

TEST_F(HostileIdentity, NeitherJobsNorStreamsAreServedWithoutAProof) {
  for (const Purpose purpose : {Purpose::kJob, Purpose::kStream})
    expect_refused([](const Bytes&, int) { return Bytes(64, std::byte{'x'}); }, purpose);
}

TEST_F(HostileIdentity, AProofForAnotherNonceIsRefused) {
  expect_refused([&](const Bytes& message, int) {
    auto challenge = *identity::decode_challenge(message);
    challenge.nonce[0] ^= std::byte{1};
    return answer_to(encode(challenge));
  });
  expect_logged("claims to be user");
}

TEST_F(HostileIdentity, AProofForAnotherPurposeIsRefused) {
  expect_refused([&](const Bytes& message, int) { return answer_to(message, Purpose::kControl); }, Purpose::kJob);
}

TEST_F(HostileIdentity, AReplayedProofIsRefused) {
  Bytes recorded;
  auto channel = open(std::make_shared<ScriptedGuard>([&](const Bytes& message, int number) {
    if (number == 1) recorded = answer_to(message);
    return number == 1 ? recorded : Bytes{};
  }));
  ASSERT_TRUE(channel);
  EXPECT_EQ(answer_to_ping(*channel), wire::Body::PingReply);
  expect_refused([&](const Bytes&, int) { return recorded; });
}

TEST_F(HostileIdentity, AProofThatIsTooLongEndsTheConnection) {
  for (const size_t length : {fabric::kProofBytesMax + 1, size_t{100'000}, size_t{10'000'000}})
    expect_refused([&](const Bytes&, int) { return Bytes(length, std::byte{'x'}); });
  expect_logged("did not prove who it is");
}

// The second comes when the first has been believed: it is a request then, and none that there is.
TEST_F(HostileIdentity, AProofThatComesTwiceEndsTheConnection) {
  Bytes proof;
  auto channel = open(std::make_shared<ScriptedGuard>([&](const Bytes& message, int number) {
    if (number == 1) proof = answer_to(message);
    return proof;
  }));
  ASSERT_TRUE(channel);
  EXPECT_NE(answer_to_ping(*channel), wire::Body::PingReply);
}

TEST_F(HostileIdentity, OneThatStaysSilentIsLetGo) {
  auto channel = open(std::make_shared<ScriptedGuard>([](const Bytes&, int) { return Bytes{}; }));
  ASSERT_FALSE(channel);
  EXPECT_NE(channel.error().code, Errc::kTimeout) << "the daemon should have been the first to lose patience";
  expect_logged("did not prove who it is");
}

TEST_F(HostileIdentity, OneThatCannotProveAnythingIsToldSo) {
  const auto channel = open(nullptr);
  ASSERT_FALSE(channel);
  EXPECT_EQ(channel.error().code, Errc::kDenied);
}

TEST_F(HostileIdentity, OnlyModesThatThereAreAreTaken) {
  auto channel = open(std::make_shared<identity::SiteGuard>(identity::SiteSettings{.method = Method::kKey, .key = key_}));
  ASSERT_TRUE(channel);
  protocol::Encoder encoder;
  auto& builder = encoder.builder();
  fabric::Message held;
  const auto ask = [&](auto body) {
    EXPECT_TRUE(channel->send(encoder.finish(1, body)));
    auto event = channel->wait(Deadline::after(milliseconds(10'000)));
    EXPECT_TRUE(event);
    held = std::get<fabric::Message>(std::move(*event));
    return *protocol::decode(held);
  };
  const auto error_of = [](const protocol::Decoded& reply) {
    const auto* refused = reply.body<wire::ErrorReply>();
    return refused == nullptr ? Errc{} : protocol::from_wire(*refused).code;
  };
  const auto made = ask(wire::CreateRegionCreateRequestDirect(builder, "fast", "mesh", 4096));
  ASSERT_NE(made.body<wire::RegionReply>(), nullptr);
  EXPECT_EQ(made.body<wire::RegionReply>()->region()->permission()->mode(), 0600u);
  const wire::Id id = *made.body<wire::RegionReply>()->region()->id();
  const wire::Id unknown(1, 2);
  EXPECT_EQ(error_of(ask(wire::CreateChangeModeRequest(builder, &id, 0700))), Errc::kInvalid);
  EXPECT_EQ(error_of(ask(wire::CreateChangeModeRequest(builder, &id, UINT32_MAX))), Errc::kInvalid);
  EXPECT_EQ(error_of(ask(wire::CreateChangeModeRequest(builder, &unknown, 0600))), Errc::kNotFound);
  EXPECT_EQ(error_of(ask(wire::CreateChangeModeRequest(builder, nullptr, 0600))), Errc::kNotFound);
  EXPECT_EQ(error_of(ask(wire::CreateChangeModeRequest(builder, &id, 0640))), Errc{});
  const auto seen = ask(wire::CreateRegionStatRequest(builder, &id));
  ASSERT_NE(seen.body<wire::RegionReply>(), nullptr);
  EXPECT_EQ(seen.body<wire::RegionReply>()->region()->permission()->mode(), 0640u);
  EXPECT_EQ(seen.body<wire::RegionReply>()->region()->permission()->uid(), geteuid());
}

}  // namespace
