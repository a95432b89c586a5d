// godwit.h: errors and version.
#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <new>

#include "base/error.hpp"
#include "client/c_boundary.hpp"

namespace godwit::client {
namespace {

// Fixed, so that an error about memory needs none; longer texts are cut.
thread_local std::array<char, 2048> last_error_text{};

constexpr bool is(Errc code, int number) { return static_cast<int>(code) == number; }
static_assert(is(Errc::kInvalid, GODWIT_ERR_INVALID) && is(Errc::kNotFound, GODWIT_ERR_NOT_FOUND) &&
              is(Errc::kExists, GODWIT_ERR_EXISTS) && is(Errc::kNoSpace, GODWIT_ERR_NO_SPACE) &&
              is(Errc::kRange, GODWIT_ERR_RANGE) && is(Errc::kMoved, GODWIT_ERR_MOVED) && is(Errc::kBusy, GODWIT_ERR_BUSY) &&
              is(Errc::kTimeout, GODWIT_ERR_TIMEOUT) && is(Errc::kUnreachable, GODWIT_ERR_UNREACHABLE) &&
              is(Errc::kPeerLost, GODWIT_ERR_PEER_LOST) && is(Errc::kVersion, GODWIT_ERR_VERSION) &&
              is(Errc::kProtocol, GODWIT_ERR_PROTOCOL) && is(Errc::kDigest, GODWIT_ERR_DIGEST) &&
              is(Errc::kIo, GODWIT_ERR_IO) && is(Errc::kPmem, GODWIT_ERR_PMEM) && is(Errc::kFabric, GODWIT_ERR_FABRIC) &&
              is(Errc::kMemory, GODWIT_ERR_MEMORY) && is(Errc::kConfig, GODWIT_ERR_CONFIG) &&
              is(Errc::kCancelled, GODWIT_ERR_CANCELLED) && is(Errc::kUnsupported, GODWIT_ERR_UNSUPPORTED) &&
              is(Errc::kCorrupt, GODWIT_ERR_CORRUPT) && is(Errc::kLimit, GODWIT_ERR_LIMIT) &&
              is(Errc::kPartial, GODWIT_ERR_PARTIAL) && is(Errc::kInternal, GODWIT_ERR_INTERNAL) &&
              is(Errc::kInDoubt, GODWIT_ERR_IN_DOUBT) && is(Errc::kDenied, GODWIT_ERR_DENIED) &&
              is(Errc::kChanged, GODWIT_ERR_CHANGED));

void keep(std::string_view text) noexcept {
  const size_t length = std::min(text.size(), last_error_text.size() - 1);
  std::memcpy(last_error_text.data(), text.data(), length);
  last_error_text[length] = '\0';
}

// The row of this number, or NULL for one that this version does not know.
const ErrorRow* row_of(int number) noexcept {
  for (const ErrorRow& row : error_table())
    if (static_cast<int>(row.code) == number) return &row;
  return nullptr;
}

}  // namespace

int remember(const Error& error) noexcept {
  keep(error.text);
  return static_cast<int>(error.code);
}

int remember_exception() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    keep("out of memory");
    return GODWIT_ERR_MEMORY;
  } catch (const std::exception& exception) {
    keep(exception.what());
    return GODWIT_ERR_INTERNAL;
  } catch (...) {
    keep("an exception of an unknown kind");
    return GODWIT_ERR_INTERNAL;
  }
}

const char* last_error() noexcept { return last_error_text.data(); }

}  // namespace godwit::client

// The table's texts are literals, so data() ends with NUL.

const char* godwit_last_error(void) { return godwit::client::last_error(); }

const char* godwit_error_name(int error) {
  if (error == GODWIT_OK) return "GODWIT_OK";
  const godwit::ErrorRow* row = godwit::client::row_of(error);
  return row == nullptr ? "GODWIT_ERR_UNKNOWN" : row->name.data();
}

const char* godwit_error_meaning(int error) {
  if (error == GODWIT_OK) return "success";
  const godwit::ErrorRow* row = godwit::client::row_of(error);
  return row == nullptr ? "an error that this version of the library does not know" : row->meaning.data();
}

const char* godwit_error_remedy(int error) {
  if (error == GODWIT_OK) return "nothing to do";
  const godwit::ErrorRow* row = godwit::client::row_of(error);
  return row == nullptr ? "use a library of the daemon's version" : row->remedy.data();
}

int godwit_error_exit_code(int error) {
  if (error == GODWIT_OK) return 0;
  const godwit::ErrorRow* row = godwit::client::row_of(error);
  return row == nullptr ? godwit::error_row(godwit::Errc::kInternal).exit_code : row->exit_code;
}

const char* godwit_version(void) { return GODWIT_PROJECT_VERSION; }
