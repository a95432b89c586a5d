// Errors: one code table for the C API, the wire, the CLI and the docs.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace godwit {

// Append-only: a value is never renumbered, because it travels between versions.
// The same numbers are the GODWIT_ERR_* constants of godwit.h (client/c_api.cpp asserts it).
enum class Errc : int32_t {
  kInvalid = -1,
  kNotFound = -2,
  kExists = -3,
  kNoSpace = -4,
  kRange = -5,
  kMoved = -6,
  kBusy = -7,
  kTimeout = -8,
  kUnreachable = -9,
  kPeerLost = -10,
  kVersion = -11,
  kProtocol = -12,
  kDigest = -13,
  kIo = -14,
  kPmem = -15,
  kFabric = -16,
  kMemory = -17,
  kConfig = -18,
  kCancelled = -19,
  kUnsupported = -20,
  kCorrupt = -21,
  kLimit = -22,
  kPartial = -23,
  kInternal = -24,
  kInDoubt = -25,
  kDenied = -26,
  kChanged = -27,
};

// One row per code; drives godwit_error_name(), the CLI's exit code and docs/reference.
struct ErrorRow {
  Errc code;
  std::string_view name;     // The constant in godwit.h.
  std::string_view meaning;  // What happened, one clause.
  std::string_view remedy;   // What the user can do.
  int exit_code;             // Of the command line tools.
};

std::span<const ErrorRow> error_table();
const ErrorRow& error_row(Errc code);
// The code with this number, or kInternal for a number this version does not know.
Errc error_from_number(int32_t number);

// What failed, on which node, on which object, and what to do: the text says it all.
struct Error {
  Errc code;
  std::string text;
};

// The error with `context: ` in front, for a caller that knows more (which node, which object).
Error with_context(std::string_view context, Error error);
// `what: strerror(number)`; ENOSPC and EDQUOT become kNoSpace, ENOMEM kMemory, ENOENT kNotFound, EACCES, EPERM, EROFS kDenied,
// others `code`.
Error error_from_errno(Errc code, std::string_view what, int number);

}  // namespace godwit
