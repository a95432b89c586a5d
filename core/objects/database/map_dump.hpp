// The dump of a map: one file with every record and a digest of them all (docs/design/databases.md).
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace godwit::objects {

constexpr std::string_view kDumpName = "map.dump";

// Writes a dump; one thread. finish() last: without it the file is no dump.
class DumpWriter {
 public:
  // Errors: kExists, kNoSpace, kIo.
  static Result<DumpWriter> create(const std::string& path, uint64_t records);
  DumpWriter(DumpWriter&& other) noexcept;
  DumpWriter& operator=(DumpWriter&&) = delete;
  ~DumpWriter();

  // Errors: kNoSpace, kIo.
  Result<> add(std::string_view key, std::string_view value);
  Result<> finish();

 private:
  DumpWriter(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  Result<> flush();

  int fd_;
  std::string path_;
  std::string buffer_;
  DigestStream digest_;
};

// Shows every record in its order, after the digest has been checked. Errors: kNotFound; kCorrupt, it is no dump, cut short, or
// a byte differs: then nothing is shown; kIo.
Result<> read_dump(const std::string& path, const std::function<void(std::string_view key, std::string_view value)>& visit);

}  // namespace godwit::objects
