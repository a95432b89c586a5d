#include "daemon/round.hpp"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <optional>
#include <unordered_map>

#include "fabric/hub.hpp"

namespace godwit::daemon {
namespace {

constexpr uint64_t kPeerAnswerBytesMax = 1u << 20;
constexpr const char* kLate = "it did not answer in time";

using Answers = std::vector<std::optional<Result<fabric::Message>>>;

// The members that are reached by one provider.
class Party final : public fabric::HubHandler {
 public:
  Party(std::unique_ptr<fabric::Hub> hub, std::span<const std::byte> question, Answers& answers)
      : hub_(std::move(hub)), question_(question), answers_(answers) {}

  size_t busy() const { return open_.size(); }

  void ask(size_t member, const fabric::Address& address, milliseconds patience) {
    auto connection = hub_->connect(address, {fabric::Purpose::kControl, Id{}}, Deadline::after(patience));
    if (!connection) {
      answers_[member] = std::move(connection).error();
      return;
    }
    open_.emplace(static_cast<uint64_t>(*connection), Asked{member, Deadline::after(2 * patience)});
  }
  // Errors: kFabric, no connection of this hub will answer.
  Result<> progress(Deadline deadline) {
    if (open_.empty()) return Done{};
    if (auto progressed = hub_->progress(*this, deadline); !progressed) return std::move(progressed).error();
    for (auto one = open_.begin(); one != open_.end();) {
      if (!one->second.deadline.passed()) {
        ++one;
        continue;
      }
      answers_[one->second.member] = Error{Errc::kTimeout, kLate};
      hub_->close(fabric::ConnectionId{one->first});
      one = open_.erase(one);
    }
    return Done{};
  }
  void fail(const Error& error) {
    for (const auto& [connection, asked] : open_) answers_[asked.member] = error;
    open_.clear();
  }

  void on_incoming(fabric::Incoming) override {}
  void on_rma(fabric::ConnectionId, uint64_t, Result<>) override {}
  void on_open(fabric::ConnectionId connection) override {
    if (auto sent = hub_->send(connection, question_); !sent) end(connection, std::move(sent).error());
  }
  void on_message(fabric::ConnectionId connection, std::span<const std::byte> message) override {
    end(connection, fabric::Message(message.begin(), message.end()));
  }
  void on_closed(fabric::ConnectionId connection, Error reason) override {
    const auto asked = open_.find(static_cast<uint64_t>(connection));
    if (asked == open_.end()) return;
    answers_[asked->second.member] = std::move(reason);
    open_.erase(asked);
  }

 private:
  struct Asked {
    size_t member;
    Deadline deadline;
  };

  void end(fabric::ConnectionId connection, Result<fabric::Message> answer) {
    const auto asked = open_.find(static_cast<uint64_t>(connection));
    if (asked == open_.end()) return;
    answers_[asked->second.member] = std::move(answer);
    open_.erase(asked);
    hub_->close(connection);
  }

  const std::unique_ptr<fabric::Hub> hub_;
  const std::span<const std::byte> question_;
  Answers& answers_;
  std::unordered_map<uint64_t, Asked> open_;
};

class Round {
 public:
  Round(engine::Domains& domains, std::span<const std::byte> question, Answers& answers)
      : domains_(domains), question_(question), answers_(answers) {}

  void ask(size_t member, const fabric::Address& address, milliseconds patience) {
    auto party = party_for(address);
    if (!party) {
      answers_[member] = std::move(party).error();
      return;
    }
    (*party)->ask(member, address, patience);
  }
  size_t busy() const {
    size_t busy = 0;
    for (const auto& [provider, party] : parties_) busy += party->busy();
    return busy;
  }
  // Blocks for a moment at most.
  void progress() {
    const milliseconds moment(parties_.size() > 1 ? 2 : 50);  // Several hubs are looked at in turn.
    for (auto& [provider, party] : parties_)
      if (auto progressed = party->progress(Deadline::after(moment)); !progressed) party->fail(progressed.error());
  }

 private:
  Result<Party*> party_for(const fabric::Address& address) {
    auto& party = parties_[address.provider];
    if (party) return party.get();
    auto domain = domains_.of(address);
    if (!domain) {
      parties_.erase(address.provider);
      return std::move(domain).error();
    }
    fabric::HubSettings settings;
    settings.message_bytes_max = kPeerAnswerBytesMax;
    settings.receive_buffers = 4;
    auto hub = fabric::Hub::open(*domain, settings);
    if (!hub) {
      parties_.erase(address.provider);
      return std::move(hub).error();
    }
    party = std::make_unique<Party>(std::move(*hub), question_, answers_);
    return party.get();
  }

  engine::Domains& domains_;
  const std::span<const std::byte> question_;
  Answers& answers_;
  std::map<std::string, std::unique_ptr<Party>> parties_;
};

}  // namespace

std::vector<Result<fabric::Message>> ask_all(engine::Domains& domains, const std::vector<fabric::Address>& members,
                                             std::span<const std::byte> question, const RoundLimits& limits,
                                             const std::function<bool(size_t member, const fabric::Message&)>& is_enough,
                                             const std::atomic<bool>& stopping) {
  Answers answers(members.size());
  std::vector<bool> looked_at(members.size(), false);
  const auto deadline = Deadline::after(limits.round);
  bool enough = false;
  size_t next = 0;
  {
    Round round(domains, question, answers);
    while (!enough && !stopping && !deadline.passed()) {
      // To begin a connection may take long: a name has to be resolved.
      while (next < members.size() && round.busy() < limits.at_once && !stopping && !deadline.passed()) {
        round.ask(next, members[next], limits.member);
        ++next;
      }
      round.progress();
      for (size_t i = 0; i < next; ++i) {
        if (looked_at[i] || !answers[i]) continue;
        looked_at[i] = true;
        if (*answers[i] && is_enough(i, **answers[i])) enough = true;
      }
      if (next == members.size() && round.busy() == 0) break;
    }
  }
  const bool is_cut_short = enough || stopping;
  const Error missing{is_cut_short ? Errc::kCancelled : Errc::kTimeout, is_cut_short ? "its answer was not needed" : kLate};
  std::vector<Result<fabric::Message>> all;
  all.reserve(members.size());
  for (size_t i = 0; i < members.size(); ++i) {
    if (i >= next && !is_cut_short)
      all.emplace_back(Error{Errc::kBusy, "there was no time to ask it"});
    else
      all.push_back(answers[i] ? std::move(*answers[i]) : Result<fabric::Message>(missing));
  }
  return all;
}

}  // namespace godwit::daemon
