#include "daemon/group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "base/log.hpp"
#include "daemon/round.hpp"
#include "objects/files/file_roots.hpp"

namespace godwit::daemon {
namespace {

constexpr uint32_t kRoundThreads = 4;
constexpr size_t kKnownMax = 4'096;
constexpr size_t kPlacesMax = 64;  // Of one member's answer.
constexpr size_t kNameBytesMax = 128;
constexpr size_t kTargetBytesMax = 64;
constexpr auto kRest = std::chrono::seconds(5);
// A member that fails faster costs nobody anything, and is asked each time.
constexpr auto kSlow = milliseconds(200);

std::string_view word_of(PlaceKind kind) {
  switch (kind) {
    case PlaceKind::region: return "region";
    case PlaceKind::database: return "database";
    case PlaceKind::job: return "job";
    case PlaceKind::fileset: return "fileset";
    case PlaceKind::plan: return "plan";
  }
  return "object";
}

std::string names_of(const std::vector<Member>& silent) {
  constexpr size_t kNamedMax = 8;
  std::string text;
  for (size_t i = 0; i < std::min(silent.size(), kNamedMax); ++i)
    text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", silent[i].address, silent[i].error->text);
  if (silent.size() > kNamedMax) text += fmt::format(" and {} more", silent.size() - kNamedMax);
  return text;
}

}  // namespace

bool Wanted::is_met_by(const Place& place) const {
  if ((kinds & bit(place.kind)) == 0) return false;
  const bool is_fileset = place.kind == PlaceKind::fileset;
  if (!id.is_zero()) return place.id == id || (is_fileset && place.job == id);
  if (!is_fileset) return place.name == name;
  const auto path = objects::normal_path(name);
  return path && place.path == *path;
}

std::string Wanted::describe() const {
  std::string kind;
  for (const PlaceKind one : wire::EnumValuesPlaceKind())
    if ((kinds & bit(one)) != 0) kind += (kind.empty() ? "" : " or ") + std::string(word_of(one));
  return fmt::format("{} {}", kind.empty() ? "object" : kind, id.is_zero() ? "'" + log::printable(name) + "'" : to_string(id));
}

flatbuffers::Offset<wire::PlaceEntry> place_entry(flatbuffers::FlatBufferBuilder& builder, const Place& place) {
  const wire::Id id = protocol::to_wire(place.id), job = protocol::to_wire(place.job);
  return wire::CreatePlaceEntryDirect(builder, place.kind, &id, place.epoch, place.name.empty() ? nullptr : place.name.c_str(),
                                      place.target.empty() ? nullptr : place.target.c_str(), place.address.c_str(),
                                      place.path.empty() ? nullptr : place.path.c_str(), place.job.is_zero() ? nullptr : &job);
}

std::optional<Place> place_from(const wire::PlaceEntry& entry, const std::string& address) {
  if (entry.id() == nullptr || entry.kind() > wire::PlaceKind::MAX) return std::nullopt;
  Place place{entry.kind(),
              protocol::from_wire(*entry.id()),
              entry.epoch(),
              protocol::text_of(entry.name()),
              protocol::text_of(entry.target()),
              address,
              protocol::text_of(entry.path()),
              protocol::from_wire(entry.job())};
  if (place.id.is_zero() || place.name.size() > kNameBytesMax || place.target.size() > kTargetBytesMax ||
      place.path.size() >= PATH_MAX || (place.kind == PlaceKind::fileset) == place.path.empty())
    return std::nullopt;
  place.name = log::printable(place.name);
  place.target = log::printable(place.target);
  return place;
}

Group::Group(const std::vector<std::string>& members, const std::vector<std::string>& own_addresses, const Id& node,
             engine::Domains& domains, std::function<void()> on_start, std::shared_ptr<Directory> directory)
    : node_(node), domains_(domains), directory_(std::move(directory)), threads_(kRoundThreads, std::move(on_start)) {
  for (const std::string& text : members) {
    const auto address = fabric::parse_address(text);
    if (!address || std::ranges::find(own_addresses, to_string(*address)) != own_addresses.end()) continue;
    if (std::ranges::find(listed_, *address) == listed_.end()) listed_.push_back(*address);
  }
}

void Group::stop() {
  stopping_ = true;
  threads_.stop();
}

std::vector<fabric::Address> Group::other_addresses() const { return directory_ ? directory_->others() : listed_; }

std::vector<std::optional<Error>> Group::ask(const std::vector<fabric::Address>& members, std::span<const std::byte> question,
                                             const Take& take) {
  std::vector<std::optional<Error>> errors(members.size());
  std::vector<fabric::Address> asked;
  std::vector<size_t> places;  // Of each that is asked, in `members`.
  {
    const std::lock_guard lock(mutex_);
    const auto now = Clock::now();
    std::erase_if(resting_, [&](const auto& one) { return one.second.until <= now; });
    for (size_t i = 0; i < members.size(); ++i) {
      if (const auto rest = resting_.find(to_string(members[i])); rest != resting_.end()) {
        errors[i] = rest->second.error;
        continue;
      }
      asked.push_back(members[i]);
      places.push_back(i);
    }
  }
  const auto begin = Clock::now();
  const auto look = [&](size_t at, const fabric::Message& bytes) {
    const auto message = protocol::decode(bytes);
    return message && take(places[at], *message);
  };
  const auto answers = ask_all(domains_, asked, question, {}, look, stopping_);
  const bool was_slow = Clock::now() - begin > kSlow;
  for (size_t at = 0; at < answers.size(); ++at) {
    Error& error = errors[places[at]].emplace(Error{Errc{}, {}});
    if (answers[at]) {
      const auto message = protocol::decode(*answers[at]);
      if (!message)
        error = message.error();
      else if (const auto* refused = message->body<wire::ErrorReply>())
        error = protocol::from_wire(*refused);
      else
        errors[places[at]].reset();
      continue;
    }
    error = answers[at].error();
    if (!was_slow || error.code == Errc::kCancelled || error.code == Errc::kBusy) continue;
    const std::lock_guard lock(mutex_);
    resting_.insert_or_assign(to_string(asked[at]), Rest{Clock::now() + kRest, error});
  }
  return errors;
}

std::vector<Member> Group::others() {
  const auto addresses = other_addresses();
  std::vector<Member> members(addresses.size());
  for (size_t i = 0; i < addresses.size(); ++i) members[i].address = to_string(addresses[i]);
  protocol::Encoder encoder;
  const auto question = encoder.finish(1, wire::CreatePingRequest(encoder.builder()));
  const auto errors = ask(addresses, question, [&](size_t i, const protocol::Decoded& message) {
    if (const auto* reply = message.body<wire::PingReply>()) members[i].node = protocol::from_wire(reply->node());
    return false;
  });
  for (size_t i = 0; i < members.size(); ++i) {
    members[i].error = errors[i];
    if (!errors[i] && members[i].node.is_zero()) members[i].error = Error{Errc::kProtocol, "it does not say who it is"};
  }
  // One that is this node by another name.
  std::erase_if(members, [&](const Member& member) { return member.node == node_; });
  return members;
}

Group::Answers Group::ask_owner(const Wanted& wanted) {
  if (directory_ == nullptr || wanted.id.is_zero() || wanted.stays()) return {};
  const auto owner = directory_->owner_of(wanted.id);
  if (!owner || !*owner || (*owner)->node == node_) return {};
  const auto address = fabric::parse_address((*owner)->address);
  if (!address) return {};
  return ask_where({*address}, wanted, true);
}

Group::Answers Group::ask_where(const std::vector<fabric::Address>& members, const Wanted& wanted, bool first_is_enough) {
  Answers all;
  protocol::Encoder encoder;
  const wire::Id id = protocol::to_wire(wanted.id);
  const wire::Permission asker(wanted.asker.uid, wanted.asker.gid, 0);
  const auto body = wire::CreateLocateRequestDirect(encoder.builder(), &id, wanted.name.c_str(), wanted.kinds, true,
                                                    wanted.asker.may_all ? nullptr : &asker, &wanted.asker.groups);
  const auto question = encoder.finish(1, body);
  const auto errors = ask(members, question, [&](size_t i, const protocol::Decoded& message) {
    const auto* reply = message.body<wire::LocateReply>();
    if (reply == nullptr || reply->places() == nullptr || protocol::from_wire(reply->node()) == node_) return false;
    size_t taken = 0;
    for (const wire::PlaceEntry* entry : *reply->places()) {
      if (taken == kPlacesMax) break;
      auto place = place_from(*entry, to_string(members[i]));
      // An answer to another question is none.
      if (!place || !wanted.is_met_by(*place)) continue;
      all.places.push_back(std::move(*place));
      ++taken;
    }
    return first_is_enough && taken > 0;
  });
  for (size_t i = 0; i < errors.size(); ++i)
    if (errors[i] && errors[i]->code != Errc::kCancelled) all.silent.push_back({to_string(members[i]), {}, errors[i]});
  return all;
}

Result<Place> Group::the_one(const Wanted& wanted, std::vector<Place> places, const std::vector<Member>& silent) const {
  // The newest record of each object first; what is left behind it is a memory of it.
  std::ranges::stable_sort(places,
                           [](const Place& a, const Place& b) { return a.id != b.id ? a.id < b.id : a.epoch > b.epoch; });
  const auto last = std::unique(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.id == b.id; });
  places.erase(last, places.end());
  // A job that is known comes before what it has moved.
  if (std::ranges::any_of(places, [&](const Place& place) { return place.id == wanted.id; }))
    std::erase_if(places, [&](const Place& place) { return place.id != wanted.id; });
  if (places.size() == 1) return std::move(places.front());
  if (places.empty()) {
    if (silent.empty()) return Error{Errc::kNotFound, fmt::format("no node of the group has {}", wanted.describe())};
    return Error{Errc::kUnreachable, fmt::format("no member of the group that answers has {}; these do not answer: {}",
                                                 wanted.describe(), names_of(silent))};
  }
  constexpr size_t kNamedMax = 8;
  std::string text =
      wanted.id.is_zero()
          ? fmt::format("{} things in the group are called '{}'; ask for one by its id:", places.size(),
                        log::printable(wanted.name))
          : fmt::format("job {} has moved {} filesets; ask for one by its id:", to_string(wanted.id), places.size());
  for (size_t i = 0; i < std::min(places.size(), kNamedMax); ++i)
    text +=
        fmt::format("{} {} {} at {}", i == 0 ? "" : ",", word_of(places[i].kind), to_string(places[i].id), places[i].address);
  return Error{Errc::kExists, text};
}

// Who is in the group then nobody can say for sure.
void Group::add_directory_if_silent(Answers& answers) const {
  if (directory_ == nullptr) return;
  if (auto silent = directory_->silence()) answers.silent.push_back({"the directory", {}, std::move(silent)});
}

Result<Place> Group::locate(const Wanted& wanted, std::vector<Place> here) {
  Answers answers = ask_where(other_addresses(), wanted, false);
  // An owner that is silent may not be among the members any more: whoever asks is told.
  if (here.empty() && answers.places.empty() && answers.silent.empty()) answers = ask_owner(wanted);
  add_directory_if_silent(answers);
  here.insert(here.end(), std::make_move_iterator(answers.places.begin()), std::make_move_iterator(answers.places.end()));
  return the_one(wanted, std::move(here), answers.silent);
}

Result<Place> Group::find(const Wanted& wanted) {
  std::optional<Place> remembered;
  if (wanted.stays() && wanted.asker.may_all) {  // Whose it is its node knows.
    const auto members = other_addresses();
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(wanted.id); known != known_.end()) {
      remembered = Place{known->second.first, wanted.id, 0, {}, {}, known->second.second};
      // One that is a member no more may have come back elsewhere.
      const auto is_there = [&](const fabric::Address& member) { return to_string(member) == known->second.second; };
      if (std::ranges::any_of(members, is_there)) return *remembered;
    }
  }
  Answers answers = ask_owner(wanted);
  if (answers.places.empty()) {
    const auto owner = std::move(answers.silent);
    answers = ask_where(other_addresses(), wanted, !wanted.id.is_zero());
    if (answers.silent.empty()) answers.silent = owner;
  }
  add_directory_if_silent(answers);
  auto place = the_one(wanted, std::move(answers.places), answers.silent);
  if (!place && remembered) return *remembered;
  if (place && wanted.stays() && wanted.asker.may_all) {
    const std::lock_guard lock(mutex_);
    if (known_.size() >= kKnownMax) known_.clear();
    known_.insert_or_assign(wanted.id, std::pair(place->kind, place->address));
  }
  return place;
}

}  // namespace godwit::daemon
