#include "godwit-bulk/earlier_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <tuple>

#include "common/tool_report.hpp"
#include "godwit-bulk/refused.hpp"

namespace godwit::bulk {
namespace {

using nlohmann::json;

constexpr size_t kIdDigits = 32;

godwit_region_id id_of(const std::string& text) {
  godwit_region_id id{};
  if (godwit_region_id_parse(text.c_str(), &id) != GODWIT_OK) throw std::invalid_argument("an id is none");
  return id;
}

Kind kind_of(const std::string& text) {
  for (const Kind kind : {Kind::kRegion, Kind::kDatabase, Kind::kFiles})
    if (text == text_of(kind)) return kind;
  throw std::invalid_argument("a kind is none");
}

// Whether the line was written to its end.
bool next_line(std::istream& lines, std::string& line) { return std::getline(lines, line) && !lines.eof(); }

// Returns "copy".
bool check_header(const std::string& line, const std::string& path) {
  const json header = json::parse(line, nullptr, false);
  if (!header.is_object() || header.value("tool", json()) != "godwit-bulk")
    throw Refused(GODWIT_ERR_INVALID,
                  fmt::format("--resume: {} is no report of godwit-bulk, or its FILE.items is missing", path));
  const json version = header.value("report_version", json());
  if (version != tools::kReportVersion)
    throw Refused(
        GODWIT_ERR_VERSION,
        fmt::format("--resume: {} is a report of version {}; godwit-bulk {} goes on with version {} only", path,
                    version.dump(-1, ' ', false, json::error_handler_t::replace), godwit_version(), tools::kReportVersion));
  return header.value("copy", json()) == true;
}

}  // namespace

bool EarlierRun::Key::operator<(const Key& other) const {
  return std::tie(id.high, id.low, kind) < std::tie(other.id.high, other.id.low, other.kind);
}

bool EarlierRun::contains(const std::vector<Key>& keys, Kind kind, godwit_region_id id) {
  return std::binary_search(keys.begin(), keys.end(), Key{id, kind});
}

EarlierRun::EarlierRun(std::istream& lines, const std::string& path) {
  std::string line;
  size_t number = 1;
  next_line(lines, line);  // One that is not whole is no header.
  is_copy_ = check_header(line, path);
  while (next_line(lines, line)) {
    ++number;
    try {
      read_line(line);
    } catch (const std::exception& error) {
      throw Refused(GODWIT_ERR_CORRUPT, fmt::format("--resume: {}:{}: {}", path, number, error.what()));
    }
  }
  if (lines.bad()) throw Refused(GODWIT_ERR_IO, fmt::format("--resume: {} cannot be read", path));
  // Of a move the source's list tells what is left; of a copy only the job could.
  for (const Doubt& doubt : doubts_)
    if ((is_copy_ || doubt.key.kind == Kind::kFiles) && !open_.contains(doubt.call)) in_doubt_.emplace(doubt.key, doubt.name);
  doubts_.clear();
  settled();
}

void EarlierRun::read_line(const std::string& line) {
  const json said = json::parse(line);
  if (said.contains("ids")) {
    OpenCall call{"", said.at("source"), said.at("destination"), kind_of(said.at("kind")), {}, said.at("names")};
    const std::string ids = said.at("ids");
    for (size_t at = 0; at < ids.size(); at += kIdDigits) call.ids.push_back(id_of(ids.substr(at, kIdDigits)));
    if (call.names.size() != call.ids.size()) throw std::invalid_argument("there are not as many names as ids");
    open_[said.at("call")] = std::move(call);
  } else if (said.contains("job")) {
    const std::string job = said.at("job");
    jobs_.insert(job);
    open_[said.at("call")].job = job;
  } else if (said.contains("kind")) {
    const Key key{id_of(said.at("id")), kind_of(said.at("kind"))};
    const std::string state = said.at("state");
    if (state == text_of(State::kArrived)) {
      arrived_.push_back(key);
      if (const std::string name = said.at("name"); !name.empty()) names_.insert(text_of(key.kind) + (" " + name));
    } else if (state == text_of(State::kInDoubt) && !said.contains("call")) {  // Of a run before: its call is in no report.
      in_doubt_.emplace(key, said.at("name"));
    } else if (state == text_of(State::kInDoubt)) {
      doubts_.push_back(Doubt{key, said.at("name"), said.at("call")});
    }
  } else if (!said.at("open").get<bool>()) {
    open_.erase(said.at("call").get<uint32_t>());
  }
}

std::vector<OpenCall> EarlierRun::take_open_calls() {
  std::vector<OpenCall> calls;
  for (auto& [number, call] : open_) calls.push_back(std::move(call));
  open_.clear();
  return calls;
}

void EarlierRun::settle_arrived(Kind kind, godwit_region_id id, const std::string& name) {
  arrived_.push_back(Key{id, kind});
  if (!name.empty()) names_.insert(text_of(kind) + (" " + name));
  settled_.emplace_back(Key{id, kind}, name);
}

void EarlierRun::settle_in_doubt(Kind kind, godwit_region_id id, const std::string& name) {
  in_doubt_.emplace(Key{id, kind}, name);
}

void EarlierRun::settled() {
  std::sort(arrived_.begin(), arrived_.end());
  const auto same = [](const Key& a, const Key& b) { return !(a < b) && !(b < a); };
  arrived_.erase(std::unique(arrived_.begin(), arrived_.end(), same), arrived_.end());
}

void EarlierRun::carry(std::istream& lines, RunLines& to) const {
  std::string line;
  next_line(lines, line);
  while (next_line(lines, line)) {
    const json said = json::parse(line, nullptr, false);
    if (!said.is_object() || said.value("state", json()) != text_of(State::kArrived)) continue;
    to.earlier(kind_of(said.at("kind")), said.at("id").get<std::string>(), said.at("name").get<std::string>(), State::kArrived);
  }
  for (const auto& [key, name] : settled_) to.earlier(key.kind, text_of(key.id), name, State::kArrived);
  for (const auto& [key, name] : in_doubt_)
    if (!has_arrived(key.kind, key.id)) to.earlier(key.kind, text_of(key.id), name, State::kInDoubt);
}

std::string lines_of_report(const std::string& path) {
  std::error_code error;
  return std::filesystem::exists(lines_path(path), error) ? lines_path(path) : path;
}

}  // namespace godwit::bulk
