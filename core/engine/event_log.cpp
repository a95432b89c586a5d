#include "engine/event_log.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/fail_point.hpp"
#include "base/log.hpp"
#include "base/units.hpp"

namespace godwit::engine {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".jsonl";
constexpr std::string_view kEnded = "ended";
constexpr size_t kTextMax = 4096;
constexpr size_t kQueueMax = 10'000;    // Lines that a disk may be behind.
constexpr uint64_t kTailMax = 256_KiB;  // More than any line is long.

class File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int get() const { return descriptor_; }

 private:
  const int descriptor_;
};

std::string now_text() {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(now);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)),
                     (now - seconds).count());
}

// The end of a file, from where a line begins, as far as it was written whole: without what a crash has cut off.
struct Tail {
  uint64_t whole_bytes = 0;  // Of the file.
  std::string last_line = {};
  bool handed_over = false;  // Says a line of it.
};

Result<Tail> tail_of(const File& file, uint64_t size_bytes) {
  const uint64_t wanted = std::min(size_bytes, kTailMax);
  std::string text(wanted, '\0');
  const ssize_t got = pread(file.get(), text.data(), wanted, static_cast<off_t>(size_bytes - wanted));
  if (got < 0) return error_from_errno(Errc::kIo, "read", errno);
  text.resize(static_cast<size_t>(got));
  const size_t end = text.rfind('\n');
  if (end == std::string::npos) return Tail{};
  const size_t before = end == 0 ? std::string::npos : text.rfind('\n', end - 1);
  const size_t begin = before == std::string::npos ? 0 : before + 1;
  return Tail{size_bytes - wanted + end + 1, text.substr(begin, end - begin),
              text.find(R"(","event":"handed-over")") != std::string::npos};
}

std::vector<fs::directory_entry> files_of(const std::string& directory) {
  std::vector<fs::directory_entry> files;
  std::error_code failed;
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end; at.increment(failed))
    if (at->path().extension() == kSuffix && parse_id(at->path().stem().string())) files.push_back(*at);
  return files;
}

}  // namespace

EventLog::EventLog(std::string directory) : directory_(std::move(directory)) {
  std::error_code failed;
  fs::create_directories(directory_, failed);
  if (failed) log::warn("the events of jobs are lost: {}: {}", directory_, failed.message());
  has_failed_ = static_cast<bool>(failed);
  files_ = files_of(directory_).size();
  thread_ = std::thread([this] { run(); });
}

EventLog::~EventLog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::string EventLog::path_of(const Id& job) const { return fmt::format("{}/{}{}", directory_, to_string(job), kSuffix); }

// ---------------------------------------------------------------- what happens

void EventLog::note(const Id& job, std::string_view event, std::initializer_list<Detail> details) {
  add(job, event, details, false);
}

void EventLog::note_end(const Id& job, std::initializer_list<Detail> details) { add(job, kEnded, details, true); }

void EventLog::add(const Id& job, std::string_view event, std::initializer_list<Detail> details, bool ends) {
  const std::lock_guard lock(mutex_);
  const uint64_t count = ++live_[job];
  if (ends) live_.erase(job);
  if (!ends && count > kEventsMax) return;
  // Under the lock, so that times grow from line to line.
  nlohmann::ordered_json object{{"time", now_text()}, {"event", std::string(event)}};
  if (!ends && count == kEventsMax) {
    object["event"] = "more";
    object["cause"] = "there were too many events: those that follow are not kept";
  } else {
    for (const Detail& detail : details) {
      if (detail.number)
        object[std::string(detail.name)] = *detail.number;
      else
        object[std::string(detail.name)] = detail.text.substr(0, kTextMax);
    }
  }
  if (queue_.size() >= kQueueMax) return;
  queue_.push_back({job, object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n", ends});
  ++noted_;
  changed_.notify_all();
}

void EventLog::end_cut_short(const std::function<bool(const Id&)>& is_known) {
  for (const fs::directory_entry& entry : files_of(directory_)) {
    const Id job = *parse_id(entry.path().stem().string());
    if (is_known(job)) continue;
    const File file(open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    struct stat status {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0) continue;
    const auto tail = tail_of(file, static_cast<uint64_t>(status.st_size));
    if (!tail || tail->last_line.find(fmt::format(R"(","event":"{}")", kEnded)) != std::string::npos) continue;
    if (tail->handed_over) {
      note_end(job, {{"phase", "unknown"}, {"cause", "the daemon, or its disk, failed before the end was noted"}});
      continue;
    }
    note_end(job, {{"phase", "failed"},
                   {"error", error_row(Errc::kCancelled).name},
                   {"cause", "the daemon ended before anything was handed over; the source is as it was"}});
  }
}

// ---------------------------------------------------------------- the disk

void EventLog::run() {
  std::vector<Line> lines;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    lines.swap(queue_);
    lock.unlock();
    write(lines);
    lock.lock();
    written_ += lines.size();
    lines.clear();
    changed_.notify_all();
  }
}

void EventLog::write(const std::vector<Line>& lines) {
  std::map<Id, std::string> texts;
  for (const Line& line : lines) texts[line.job] += line.text;
  for (const auto& [job, text] : texts) {
    const auto appended = append(job, text);
    if (!appended && !has_failed_) log::warn("events of jobs are lost: {}", appended.error().text);
    has_failed_ = has_failed_ || !appended;
  }
  if (files_ > kFilesMax) remove_oldest();
}

// All of the text, or nothing.
Result<> EventLog::append(const Id& job, const std::string& text) {
  const std::string path = path_of(job);
  const File file(open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  struct stat status {};
  if (file.get() < 0 || fstat(file.get(), &status) != 0) return error_from_errno(Errc::kIo, path, errno);
  auto size = static_cast<uint64_t>(status.st_size);
  if (size == 0) {
    ++files_;
  } else {
    const auto tail = tail_of(file, size);
    if (!tail) return with_context(path, tail.error());
    if (tail->whole_bytes != size && ftruncate(file.get(), static_cast<off_t>(tail->whole_bytes)) != 0)
      return error_from_errno(Errc::kIo, path, errno);
    size = tail->whole_bytes;
  }
  for (size_t done = 0; done < text.size();) {
    const int fails = fail_point("events.write");
    // Half of it, as a disk that fills up does.
    const size_t bytes = fails == 0 ? text.size() - done : (text.size() - done + 1) / 2;
    ssize_t wrote = ::write(file.get(), text.data() + done, bytes);
    if (wrote < 0 && errno == EINTR) continue;
    if (fails != 0) {
      errno = fails;
      wrote = -1;
    }
    if (wrote < 0) {
      const int number = errno;
      if (ftruncate(file.get(), static_cast<off_t>(size)) != 0)
        log::debug("{}: a line in part stays until the next one: {}", path, errno);
      return error_from_errno(Errc::kIo, path, number);
    }
    done += static_cast<size_t>(wrote);
  }
  return Done{};
}

void EventLog::remove_oldest() {
  std::vector<std::pair<fs::file_time_type, fs::path>> files;
  for (const fs::directory_entry& entry : files_of(directory_)) {
    std::error_code failed;
    const auto time = entry.last_write_time(failed);
    if (!failed) files.emplace_back(time, entry.path());
  }
  std::ranges::sort(files);
  files_ = files.size();
  for (const auto& [time, path] : files) {
    if (files_ <= kFilesMax) return;
    {
      const std::lock_guard lock(mutex_);
      if (live_.contains(*parse_id(path.stem().string()))) continue;
    }
    std::error_code failed;
    if (fs::remove(path, failed)) --files_;
  }
}

Result<EventLog::Page> EventLog::read(const Id& job, uint64_t first, uint64_t bytes_max) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this, noted = noted_] { return written_ >= noted; });
  }
  const std::string path = path_of(job);
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0 && errno == ENOENT)
    return Error{Errc::kNotFound, fmt::format("no events of job {}: it never was here, or is long gone", to_string(job))};
  if (file.get() < 0) return error_from_errno(Errc::kIo, path, errno);
  Page page;
  std::string line;
  std::vector<char> buffer(kTailMax);
  bool is_full = false;
  for (;;) {
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0) return error_from_errno(Errc::kIo, path, errno);
    if (got == 0) return page;  // A line without its end is none.
    for (ssize_t i = 0; i < got; ++i) {
      line += buffer[static_cast<size_t>(i)];
      if (line.back() != '\n') continue;
      if (page.total++ >= first && !is_full) {
        is_full = !page.lines.empty() && page.lines.size() + line.size() > bytes_max;
        if (!is_full) page.lines += line;
      }
      line.clear();
    }
  }
}

}  // namespace godwit::engine
