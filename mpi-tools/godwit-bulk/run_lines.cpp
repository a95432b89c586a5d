#include "godwit-bulk/run_lines.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/tool_report.hpp"
#include "godwit-bulk/refused.hpp"

namespace godwit::bulk {
namespace {

using nlohmann::json;

// Text that a peer or a file system gave may be any bytes.
std::string quoted(std::string_view text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

}  // namespace

std::string lines_path(const std::string& report_path) { return report_path + ".items"; }

RunLines::RunLines(std::string path, bool is_copy, const std::vector<std::string>& from, const std::vector<std::string>& to)
    : path_(std::move(path)), new_path_(path_ + ".new"), file_(std::fopen(new_path_.c_str(), "w")) {
  if (!file_) throw Refused(GODWIT_ERR_IO, fmt::format("--report: {}: {}", new_path_, std::strerror(errno)));
  write(json{
      {"tool", "godwit-bulk"},
      {"version", godwit_version()},
      {"report_version", tools::kReportVersion},
      {"copy", is_copy},
      {"from", from},
      {"to",
       to}}.dump(-1, ' ', false, json::error_handler_t::replace));
}

void RunLines::write(std::string_view line) {
  if (std::fwrite(line.data(), 1, line.size(), file_.get()) != line.size() || std::fputc('\n', file_.get()) == EOF)
    is_whole_ = false;
}

void RunLines::earlier(Kind kind, std::string_view id, std::string_view name, State state) {
  write(fmt::format(R"({{"kind":"{}","id":"{}","name":{},"state":"{}","earlier":true}})", text_of(kind), id, quoted(name),
                    text_of(state)));
}

void RunLines::begin() {
  if (!finish() || !tools::replace_file(new_path_, path_))
    throw Refused(GODWIT_ERR_IO, fmt::format("--report: {}: {}", path_, std::strerror(errno)));
}

void RunLines::call_given(uint32_t call, uint32_t rank, std::string_view source, std::string_view destination,
                          const Items& items, const std::vector<uint32_t>& in_it, double begin_seconds) {
  std::string ids, names;
  for (const uint32_t index : in_it) {
    ids += text_of(items[index].id);
    names += (names.empty() ? "" : ",") + quoted(items.name(items[index]));
  }
  write(fmt::format(
      R"({{"call":{},"rank":{},"source":{},"destination":{},"kind":"{}","ids":"{}","names":[{}],"begin_s":{:.6f}}})", call,
      rank, quoted(source), quoted(destination), text_of(items[in_it.front()].kind), ids, names, begin_seconds));
}

void RunLines::call_started(uint32_t call, std::string_view job) {
  write(fmt::format(R"({{"call":{},"job":"{}"}})", call, job));
}

void RunLines::item(const Items& items, const Item& item, const Fate& fate) {
  const bool is_well = item.error == GODWIT_OK;
  write(fmt::format(
      R"({{"kind":"{}","id":"{}","name":{},"bytes":{},"source":{},"destination":{},"state":"{}","error":{},"text":{},)"
      R"("attempts":{},"rank":{},"call":{},"begin_s":{:.6f},"end_s":{:.6f}}})",
      text_of(item.kind), text_of(item.id), quoted(items.name(item)), item.size_bytes, quoted(fate.source),
      fate.destination.empty() ? "null" : quoted(fate.destination), text_of(item.state),
      is_well ? "null" : quoted(godwit_error_name(item.error)), is_well ? "null" : quoted(fate.text), item.attempts, fate.rank,
      fate.call, fate.begin_seconds, fate.end_seconds));
}

void RunLines::call_ended(uint32_t call, const CallRecord& record, bool is_open) {
  write(fmt::format(R"({{"call":{},"end_s":{:.6f},"bytes":{},"objects":{},"error":{},"open":{}}})", call, record.end_seconds,
                    record.bytes, record.objects, record.error ? quoted(godwit_error_name(record.error)) : "null", is_open));
}

bool RunLines::finish() {
  if (std::fflush(file_.get()) != 0 || std::ferror(file_.get()) || fsync(fileno(file_.get())) != 0) is_whole_ = false;
  return is_whole_;
}

}  // namespace godwit::bulk
