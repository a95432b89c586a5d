// Both sides of a proof, without a wire.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "identity/site_guard.hpp"
#include "support/waiting.hpp"

namespace godwit::identity {

using Bytes = std::vector<std::byte>;

// A step that waits for munged is waited for.
inline fabric::Proof::Step settled(fabric::Proof& proof, fabric::Proof::Step step) {
  test::comes_true([&] {
    if (step.outcome || !proof.is_busy()) return true;
    step = proof.look();
    return step.outcome.has_value();
  });
  return step;
}

struct Outcomes {
  Bytes challenge, answer, verdict;
  std::optional<Result<fabric::Identity>> server, client;
  bool agree() const { return server && client && *server && *client; }
};

inline Outcomes converse(const fabric::Guard& server, const fabric::Guard& client, const fabric::Hello& server_hello,
                         const fabric::Hello& client_hello) {
  const auto admission = server.admit(server_hello, "tcp://client");
  const auto approach = client.approach(client_hello, "tcp://server");
  Outcomes all;
  EXPECT_TRUE(approach->begin().say.empty());
  all.challenge = admission->begin().say;
  auto answered = approach->take(all.challenge);
  all.answer = answered.say;
  all.client = std::move(answered.outcome);
  if (all.answer.empty()) return all;
  auto judged = settled(*admission, admission->take(all.answer));
  all.verdict = judged.say;
  all.server = std::move(judged.outcome);
  all.client = approach->take(all.verdict).outcome;
  return all;
}

}  // namespace godwit::identity
