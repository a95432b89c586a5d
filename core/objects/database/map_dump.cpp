#include "objects/database/map_dump.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/fail_point.hpp"
#include "protocol/batch.hpp"

namespace godwit::objects {
namespace {

constexpr std::string_view kMagic = "GDWMAP1\n";
constexpr size_t kFlushBytes = 1_MiB;
constexpr size_t kDigestBytes = 2 * sizeof(uint64_t);
constexpr size_t kHeadBytes = kMagic.size() + sizeof(uint64_t);

uint64_t number_at(std::string_view bytes, size_t position, size_t width) {
  uint64_t number = 0;
  std::memcpy(&number, bytes.data() + position, width);
  return number;
}

// A file's bytes, mapped for reading.
class Mapped {
 public:
  static Result<Mapped> open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_from_errno(Errc::kIo, path, errno);
    struct stat status {};
    const bool known = ::fstat(fd, &status) == 0 && status.st_size > 0;
    const auto size = static_cast<size_t>(status.st_size);
    void* const start = known ? ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    const int number = errno;
    ::close(fd);
    if (start == MAP_FAILED)
      return known ? error_from_errno(Errc::kIo, path, number) : Error{Errc::kCorrupt, path + ": an empty file is no dump"};
    ::madvise(start, size, MADV_SEQUENTIAL);
    return Mapped({static_cast<const char*>(start), size});
  }
  Mapped(Mapped&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapped& operator=(Mapped&&) = delete;
  ~Mapped() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
  }
  std::string_view bytes() const { return bytes_; }

 private:
  explicit Mapped(std::string_view bytes) : bytes_(bytes) {}
  std::string_view bytes_;
};

}  // namespace

Result<DumpWriter> DumpWriter::create(const std::string& path, uint64_t records) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return errno == EEXIST ? Error{Errc::kExists, path + " exists already"} : error_from_errno(Errc::kIo, path, errno);
  DumpWriter writer(fd, path);
  writer.buffer_.append(kMagic);
  protocol::append_number(writer.buffer_, records);
  return writer;
}

DumpWriter::DumpWriter(DumpWriter&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)), buffer_(std::move(other.buffer_)) {
  // Only create() moves one: nothing has been digested yet.
}

DumpWriter::~DumpWriter() {
  if (fd_ >= 0) ::close(fd_);
}

Result<> DumpWriter::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    if (const int number = fail_point("database.dump"); number != 0) return error_from_errno(Errc::kIo, path_, number);
    const ssize_t written = ::write(fd_, buffer_.data() + done, buffer_.size() - done);
    if (written < 0 && errno != EINTR) return error_from_errno(Errc::kIo, path_, errno);
    if (written > 0) done += static_cast<size_t>(written);
  }
  buffer_.clear();
  return Done{};
}

Result<> DumpWriter::add(std::string_view key, std::string_view value) {
  protocol::append_record(buffer_, key, value);
  if (buffer_.size() < kFlushBytes) return Done{};
  digest_.add(std::as_bytes(std::span(buffer_)));
  return flush();
}

Result<> DumpWriter::finish() {
  digest_.add(std::as_bytes(std::span(buffer_)));
  const Digest digest = digest_.finish();
  protocol::append_number(buffer_, digest.high);
  protocol::append_number(buffer_, digest.low);
  if (auto written = flush(); !written) return written;
  if (::close(std::exchange(fd_, -1)) != 0) return error_from_errno(Errc::kIo, path_, errno);  // NFS tells ENOSPC here.
  return Done{};
}

Result<> read_dump(const std::string& path, const std::function<void(std::string_view, std::string_view)>& visit) {
  const auto corrupt = [&](std::string_view why) { return Error{Errc::kCorrupt, fmt::format("{}: {}", path, why)}; };
  auto mapped = Mapped::open(path);
  if (!mapped) return std::move(mapped).error();
  const std::string_view bytes = mapped->bytes();
  if (bytes.size() < kHeadBytes + kDigestBytes || !bytes.starts_with(kMagic)) return corrupt("not a dump of a map");
  const std::string_view digested = bytes.substr(0, bytes.size() - kDigestBytes);
  const Digest wanted{number_at(bytes, digested.size(), sizeof(uint64_t)),
                      number_at(bytes, digested.size() + sizeof(uint64_t), sizeof(uint64_t))};
  if (digest_of(std::as_bytes(std::span(digested))) != wanted) return corrupt("the dump's digest is wrong");

  // Whole, as its digest says: only a writer that is not ours could have made lengths that do not fit. Look first, then show.
  const std::string_view records = digested.substr(kHeadBytes);
  for (const bool show : {false, true}) {
    uint64_t count = 0;
    for (size_t at = 0; at < records.size(); ++count) {
      if (records.size() - at < protocol::kRecordHeadBytes) return corrupt("the dump's last record is cut short");
      const uint64_t key_bytes = number_at(records, at, sizeof(uint32_t));
      const uint64_t value_bytes = number_at(records, at + sizeof(uint32_t), sizeof(uint64_t));
      at += protocol::kRecordHeadBytes;
      if (key_bytes > records.size() - at || value_bytes > records.size() - at - key_bytes)
        return corrupt("a length in the dump reaches past its end");
      if (show) visit(records.substr(at, key_bytes), records.substr(at + key_bytes, value_bytes));
      at += key_bytes + value_bytes;
    }
    if (count != number_at(bytes, kMagic.size(), sizeof(uint64_t))) return corrupt("the dump's count of records is wrong");
  }
  return Done{};
}

}  // namespace godwit::objects
