// probe_granularity(): tries a mapping and says what it gave.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "base/units.hpp"
#include "pmem/pmem_mapping.hpp"
#include "pmem/pool_file.hpp"
#include "pmem/target.hpp"

namespace godwit::pmem {
namespace {

constexpr size_t kProbeBytes = 2_MiB;  // A devdax device maps in units of its alignment, mostly this.

std::string no_answer(std::string_view what, int number) {
  return fmt::format("unknown: {}: {}", what, std::generic_category().message(number));
}

std::string describe(std::string_view place, const Result<PmemMapping>& mapping) {
  if (!mapping) return "none: " + mapping.error().text;
  std::string text = fmt::format("{}, {}", place, to_string(mapping->granularity()));
  if (std::getenv("PMEM2_FORCE_GRANULARITY") != nullptr) text += " (forced by PMEM2_FORCE_GRANULARITY)";
  return text;
}

// A file without a name, so that nothing is left behind whatever happens.
UniqueFd nameless_file(const std::string& directory) {
  if (UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)); fd) return fd;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL) return {};
  std::string path = directory + "/.godwit-probe.XXXXXX";
  UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
  if (fd) ::unlink(path.c_str());
  return fd;
}

std::string probe_directory(const std::string& directory) {
  const UniqueFd fd = nameless_file(directory);
  if (!fd) return no_answer(fmt::format("cannot make a file in '{}'", directory), errno);
  if (ftruncate(fd.get(), static_cast<off_t>(kProbeBytes)) != 0) return no_answer("ftruncate", errno);
  const auto mapping = PmemMapping::map(fd.get(), directory);  // Never touched: no block is needed.
  const bool is_dax = mapping && mapping->granularity() != Granularity::kPage;
  return describe(is_dax ? "fsdax" : "page cache", mapping);
}

}  // namespace

std::string probe_granularity(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return probe_directory(path);
  if (PoolFile::is_device(path)) {
    const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK));
    if (!fd) return no_answer(fmt::format("cannot open '{}'", path), errno);
    return describe("devdax", PmemMapping::map(fd.get(), path));
  }
  // A pool file, there or to be made: what counts is its directory's file system.
  const size_t slash = path.rfind('/');
  return probe_directory(slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash));
}

}  // namespace godwit::pmem
