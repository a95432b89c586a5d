#include "base/error.hpp"

#include <array>
#include <cerrno>
#include <system_error>

namespace godwit {
namespace {

constexpr std::array kRows{
    ErrorRow{Errc::kInvalid, "GODWIT_ERR_INVALID", "an argument is not valid", "read the message: it names the argument", 2},
    ErrorRow{Errc::kNotFound, "GODWIT_ERR_NOT_FOUND", "no such region, target or job on that node",
             "list what there is with `godwit region ls` or `godwit target ls`", 3},
    ErrorRow{Errc::kExists, "GODWIT_ERR_EXISTS", "an object of that name or id exists already",
             "choose another name, or erase the other object", 4},
    ErrorRow{Errc::kNoSpace, "GODWIT_ERR_NO_SPACE", "the target or its file system is full",
             "free space, or migrate to another target", 5},
    ErrorRow{Errc::kRange, "GODWIT_ERR_RANGE", "offset and length reach past the end of the region",
             "ask for the region's size with `godwit region stat`", 2},
    ErrorRow{Errc::kMoved, "GODWIT_ERR_MOVED", "the object now lives on another node",
             "open it at the address in the message, or let the client follow", 6},
    ErrorRow{Errc::kBusy, "GODWIT_ERR_BUSY", "the object is being migrated, or the node is at a limit",
             "try again; raise the limit that the message names", 7},
    ErrorRow{Errc::kTimeout, "GODWIT_ERR_TIMEOUT", "the deadline passed before the peer answered",
             "check the node that the message names; raise the timeout", 8},
    ErrorRow{Errc::kUnreachable, "GODWIT_ERR_UNREACHABLE", "no daemon answers at that address",
             "check the address and that godwitd runs there (`godwit ping`)", 8},
    ErrorRow{Errc::kPeerLost, "GODWIT_ERR_PEER_LOST", "the connection to the peer broke",
             "check the peer; the object is where the job's state says", 8},
    ErrorRow{Errc::kVersion, "GODWIT_ERR_VERSION", "the peer speaks another protocol version, or is not Godwit",
             "run the same release at both ends", 9},
    ErrorRow{Errc::kProtocol, "GODWIT_ERR_PROTOCOL", "a message was damaged or out of place",
             "report it with both logs: it is a defect or an attack", 9},
    ErrorRow{Errc::kDigest, "GODWIT_ERR_DIGEST", "the bytes that arrived differ from those that were sent",
             "the source is intact; check memory and network of the two nodes", 10},
    ErrorRow{Errc::kIo, "GODWIT_ERR_IO", "reading or writing a file failed", "check the device and the message's path", 11},
    ErrorRow{Errc::kPmem, "GODWIT_ERR_PMEM", "mapping or flushing persistent memory failed",
             "check the device with `ndctl list` and `godwit doctor`", 11},
    ErrorRow{Errc::kFabric, "GODWIT_ERR_FABRIC", "libfabric refused an operation",
             "see `godwit doctor` for what this machine offers", 12},
    ErrorRow{Errc::kMemory, "GODWIT_ERR_MEMORY", "out of memory or of lockable memory", "lower the pools, or raise `ulimit -l`",
             5},
    ErrorRow{Errc::kConfig, "GODWIT_ERR_CONFIG", "the configuration is not valid", "mend the key that the message names", 2},
    ErrorRow{Errc::kCancelled, "GODWIT_ERR_CANCELLED", "the operation was cancelled", "nothing: the source is intact", 13},
    ErrorRow{Errc::kUnsupported, "GODWIT_ERR_UNSUPPORTED", "this object or provider cannot do that",
             "the message says which can", 2},
    ErrorRow{Errc::kCorrupt, "GODWIT_ERR_CORRUPT", "stored data is damaged and was not served",
             "restore the file, or remove it to start empty", 14},
    ErrorRow{Errc::kLimit, "GODWIT_ERR_LIMIT", "a size or a count is over a limit", "the message names the limit", 2},
    ErrorRow{Errc::kPartial, "GODWIT_ERR_PARTIAL", "some objects of the job failed, the others are done",
             "see the job's results for each object's error", 15},
    ErrorRow{Errc::kInternal, "GODWIT_ERR_INTERNAL", "a defect in Godwit", "report it with the message and the log", 1},
    ErrorRow{Errc::kInDoubt, "GODWIT_ERR_IN_DOUBT", "the cutover's outcome waits for a peer",
             "bring back the peer that the message names; the job then ends by itself", 16},
    ErrorRow{Errc::kDenied, "GODWIT_ERR_DENIED",
             "one side could not prove who it is, or that user may not do it: by an object's mode, the configuration, or the "
             "file system",
             "prove who you are (docs/howto/identity.md); ask the owner for access, the operator for a `file_roots` entry, or "
             "mend the "
             "path's permissions",
             17},
    ErrorRow{Errc::kChanged, "GODWIT_ERR_CHANGED", "a file changed, or was open for writing, while it was read",
             "stop its writers and try again; nothing has been changed at either end", 18},
};

}  // namespace

std::span<const ErrorRow> error_table() { return kRows; }

const ErrorRow& error_row(Errc code) {
  for (const ErrorRow& row : kRows)
    if (row.code == code) return row;
  return error_row(Errc::kInternal);
}

Errc error_from_number(int32_t number) {
  for (const ErrorRow& row : kRows)
    if (static_cast<int32_t>(row.code) == number) return row.code;
  return Errc::kInternal;
}

Error with_context(std::string_view context, Error error) {
  error.text.insert(0, std::string(context) + ": ");
  return error;
}

Error error_from_errno(Errc code, std::string_view what, int number) {
  switch (number) {
    case ENOSPC:
    case EDQUOT: code = Errc::kNoSpace; break;
    case ENOMEM: code = Errc::kMemory; break;
    case ENOENT: code = Errc::kNotFound; break;
    case EACCES:
    case EPERM:
    case EROFS: code = Errc::kDenied; break;
    default: break;
  }
  return Error{code, std::string(what) + ": " + std::generic_category().message(number)};
}

}  // namespace godwit
