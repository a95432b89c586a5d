// The whole table: every state, every event, for moves and copies. A change of the protocol changes this file.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "model/cutover.hpp"

namespace godwit::model {
namespace {

constexpr SourceState kSourceStates[] = {SourceState::kSyncing, SourceState::kPreparing, SourceState::kHandedOver,
                                         SourceState::kDone,    SourceState::kAborting,  SourceState::kAborted};
constexpr std::string_view kSourceEvents[] = {"pass_done",   "prepared", "refused", "committed", "lost",
                                              "abort_acked", "failed",   "retry",   "released",  "interrupted"};
constexpr std::string_view kDestinationEvents[] = {"prepare",     "prepare_unfit", "commit", "abort",
                                                   "source_lost", "release",       "retry",  "offer_again"};

std::string_view name_of(SourceAction action) {
  switch (action) {
    case SourceAction::kSendPrepare: return "send_prepare";
    case SourceAction::kJournalHandOver: return "JOURNAL_HAND_OVER";
    case SourceAction::kSendCommit: return "send_commit";
    case SourceAction::kJournalDone: return "JOURNAL_DONE";
    case SourceAction::kFreeObjects: return "free";
    case SourceAction::kSendRelease: return "send_release";
    case SourceAction::kResume: return "resume";
    case SourceAction::kJournalReclaim: return "JOURNAL_RECLAIM";
    case SourceAction::kSendAbort: return "send_abort";
    case SourceAction::kForgetJob: return "FORGET";
  }
  return "?";
}

std::string_view name_of(DestinationAction action) {
  switch (action) {
    case DestinationAction::kJournalPrepared: return "JOURNAL_PREPARED";
    case DestinationAction::kSendPrepared: return "send_prepared";
    case DestinationAction::kSendPrepareRefused: return "send_refused";
    case DestinationAction::kJournalOwner: return "JOURNAL_OWNER";
    case DestinationAction::kServe: return "serve";
    case DestinationAction::kSendCommitted: return "send_committed";
    case DestinationAction::kFreeSpace: return "free";
    case DestinationAction::kSendAborted: return "send_aborted";
    case DestinationAction::kAskSource: return "ask";
    case DestinationAction::kForgetJob: return "FORGET";
    case DestinationAction::kJournalReceiving: return "JOURNAL_RECEIVING";
  }
  return "?";
}

template <class Machine, class Action>
std::string outcome(const Machine& machine, const std::vector<Action>& actions) {
  std::string text{to_string(machine.state)};
  text += ":";
  for (const Action action : actions) fmt::format_to(std::back_inserter(text), " {}", name_of(action));
  return text;
}

using Table = std::map<std::string, std::string>;  // "state event": "new state: actions". What is not here changes nothing.

void expect_source_table(bool is_move, bool is_lasting, const Table& expected) {
  size_t found = 0;
  for (const SourceState state : kSourceStates)
    for (size_t event = 0; event < std::size(kSourceEvents); ++event) {
      SourceMachine machine{state, is_move, is_lasting};
      const auto actions = machine.on(static_cast<SourceEvent>(event));
      const std::string key = fmt::format("{} {}", to_string(state), kSourceEvents[event]);
      const auto row = expected.find(key);
      found += row != expected.end();
      EXPECT_EQ(outcome(machine, actions), row != expected.end() ? row->second : fmt::format("{}:", to_string(state))) << key;
      EXPECT_EQ(machine.is_move, is_move);
      EXPECT_EQ(machine.is_lasting, is_lasting);
    }
  EXPECT_EQ(found, expected.size()) << "the table has a row for no state or event";
}

// The only rows in which it matters whether the objects outlive a restart.
void expect_source_tables(bool is_move, const Table& expected, const Table& when_lasting, const Table& when_volatile) {
  for (const bool is_lasting : {false, true}) {
    Table table = expected;
    for (const auto& row : is_lasting ? when_lasting : when_volatile) table.insert(row);
    expect_source_table(is_move, is_lasting, table);
  }
}

TEST(CutoverTable, SourceOfAMove) {
  expect_source_tables(
      true,
      {
          {"syncing pass_done", "preparing: send_prepare"},
          {"syncing failed", "aborting: FORGET resume send_abort"},
          {"syncing lost", "aborted: FORGET resume"},
          {"preparing prepared", "handed over: JOURNAL_HAND_OVER send_commit"},
          {"preparing refused", "aborted: FORGET resume"},
          {"preparing lost", "aborted: FORGET resume"},
          {"preparing failed", "aborting: FORGET resume send_abort"},
          {"preparing retry", "preparing: send_prepare"},
          {"handed over committed", "done: JOURNAL_DONE free send_release"},
          {"handed over lost", "aborted: JOURNAL_RECLAIM FORGET resume"},
          {"handed over retry", "handed over: send_commit"},
          {"done retry", "done: JOURNAL_DONE free send_release"},
          {"done released", "done: FORGET"},
          {"aborting prepared", "aborting: send_abort"},
          {"aborting refused", "aborted:"},
          {"aborting lost", "aborted:"},
          {"aborting abort_acked", "aborted:"},
          {"aborting failed", "aborted:"},
          {"aborting retry", "aborting: send_abort"},
      },
      {{"syncing interrupted", "syncing: resume"}, {"preparing interrupted", "syncing: resume"}},
      {{"syncing interrupted", "syncing: FORGET resume"}, {"preparing interrupted", "syncing: FORGET resume"}});
}

TEST(CutoverTable, SourceOfACopy) {
  expect_source_tables(false,
                       {
                           {"syncing pass_done", "preparing: resume send_prepare"},
                           {"syncing failed", "aborting: FORGET resume send_abort"},
                           {"syncing lost", "aborted: FORGET resume"},
                           {"preparing prepared", "handed over: JOURNAL_HAND_OVER send_commit"},
                           {"preparing refused", "aborted: FORGET"},
                           {"preparing lost", "aborted: FORGET"},
                           {"preparing failed", "aborting: FORGET send_abort"},
                           {"preparing retry", "preparing: send_prepare"},
                           {"handed over committed", "done: JOURNAL_DONE send_release"},
                           {"handed over lost", "aborted: JOURNAL_RECLAIM FORGET"},
                           {"handed over retry", "handed over: send_commit"},
                           {"done retry", "done: JOURNAL_DONE send_release"},
                           {"done released", "done: FORGET"},
                           {"aborting prepared", "aborting: send_abort"},
                           {"aborting refused", "aborted:"},
                           {"aborting lost", "aborted:"},
                           {"aborting abort_acked", "aborted:"},
                           {"aborting failed", "aborted:"},
                           {"aborting retry", "aborting: send_abort"},
                       },
                       {{"syncing interrupted", "syncing: resume"}, {"preparing interrupted", "syncing:"}},
                       {{"syncing interrupted", "syncing: FORGET resume"}, {"preparing interrupted", "syncing: FORGET"}});
}

TEST(CutoverTable, Destination) {
  const Table expected = {
      {"receiving prepare", "prepared: JOURNAL_PREPARED send_prepared"},
      {"receiving prepare_unfit", "aborted: FORGET free send_refused"},
      {"receiving commit", "aborted: FORGET free"},
      {"receiving abort", "aborted: FORGET free send_aborted"},
      {"receiving source_lost", "aborted: FORGET free"},
      {"prepared prepare", "prepared: send_prepared"},
      {"prepared commit", "owner: JOURNAL_OWNER serve send_committed"},
      {"prepared abort", "aborted: FORGET free send_aborted"},
      {"prepared source_lost", "prepared: ask"},
      {"prepared retry", "prepared: ask"},
      {"prepared offer_again", "receiving: JOURNAL_RECEIVING"},
      {"owner commit", "owner: send_committed"},
      {"owner release", "owner: FORGET"},
      {"aborted prepare", "aborted: send_refused"},
      {"aborted prepare_unfit", "aborted: send_refused"},
      {"aborted commit", "aborted: FORGET"},
      {"aborted abort", "aborted: FORGET send_aborted"},
  };
  size_t found = 0;
  for (const DestinationState state :
       {DestinationState::kReceiving, DestinationState::kPrepared, DestinationState::kOwner, DestinationState::kAborted})
    for (size_t event = 0; event < std::size(kDestinationEvents); ++event) {
      DestinationMachine machine{state};
      const auto actions = machine.on(static_cast<DestinationEvent>(event));
      const std::string key = fmt::format("{} {}", to_string(state), kDestinationEvents[event]);
      const auto row = expected.find(key);
      found += row != expected.end();
      EXPECT_EQ(outcome(machine, actions), row != expected.end() ? row->second : fmt::format("{}:", to_string(state))) << key;
    }
  EXPECT_EQ(found, expected.size()) << "the table has a row for no state or event";
}

TEST(CutoverTable, RecoveryOfASource) {
  for (const bool is_move : {false, true})
    for (const bool survived : {false, true})
      for (const bool resumes : {false, true}) {
        for (const bool handed_over : {false, true})
          EXPECT_EQ(recover_source(is_move, handed_over, true, survived, resumes).state, SourceState::kDone);
        EXPECT_EQ(recover_source(is_move, true, false, survived, resumes).state, SourceState::kHandedOver);
        EXPECT_EQ(recover_source(is_move, false, false, survived, resumes).is_move, is_move);
        EXPECT_EQ(recover_source(is_move, false, false, survived, resumes).is_lasting, survived);
      }
  for (const bool is_move : {false, true}) {
    EXPECT_EQ(recover_source(is_move, false, false, true, false).state, SourceState::kAborted);
    EXPECT_EQ(recover_source(is_move, false, false, true, true).state, SourceState::kSyncing) << "goes on from its offer";
  }
  for (const bool resumes : {false, true}) {
    EXPECT_EQ(recover_source(true, false, false, false, resumes).state, SourceState::kHandedOver) << "adopts";
    EXPECT_EQ(recover_source(false, false, false, false, resumes).state, SourceState::kAborted) << "a copy is not adopted";
  }
}

TEST(CutoverTable, RecoveryOfADestination) {
  const auto recovered = [](DestinationRecord record, bool survived) { return recover_destination(record, survived).state; };
  for (const bool survived : {false, true}) {
    EXPECT_EQ(recovered(DestinationRecord::kOwner, survived), DestinationState::kOwner);
    EXPECT_EQ(recovered(DestinationRecord::kNone, survived), DestinationState::kAborted);
  }
  EXPECT_EQ(recovered(DestinationRecord::kReceiving, true), DestinationState::kReceiving);
  EXPECT_EQ(recovered(DestinationRecord::kReceiving, false), DestinationState::kAborted);
  EXPECT_EQ(recovered(DestinationRecord::kPrepared, true), DestinationState::kPrepared);
  EXPECT_EQ(recovered(DestinationRecord::kPrepared, false), DestinationState::kAborted);
}

TEST(CutoverTable, DecisionsAndServing) {
  const std::map<SourceState, Decision> decisions = {
      {SourceState::kSyncing, Decision::kPending},   {SourceState::kPreparing, Decision::kPending},
      {SourceState::kHandedOver, Decision::kCommit}, {SourceState::kDone, Decision::kCommit},
      {SourceState::kAborting, Decision::kAbort},    {SourceState::kAborted, Decision::kAbort}};
  for (const auto& [state, decision] : decisions) {
    EXPECT_EQ(decision_of({state, true}), decision) << to_string(state);
    EXPECT_EQ(SourceMachine({state, true}).serves(), decision != Decision::kCommit) << to_string(state);
    EXPECT_TRUE(SourceMachine({state, false}).serves()) << to_string(state);
    EXPECT_EQ(SourceMachine({state, true}).ended(), state == SourceState::kDone || state == SourceState::kAborted);
  }
  EXPECT_TRUE(DestinationMachine{DestinationState::kOwner}.serves());
  EXPECT_FALSE(DestinationMachine{DestinationState::kPrepared}.serves());
}

}  // namespace
}  // namespace godwit::model
