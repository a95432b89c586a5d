// Munge: credentials of this node's munged, which say who made them and hold a few bytes that nobody else can have put there.
#pragma once

#include <string>

#include "identity/statement.hpp"

namespace godwit::identity {

struct MungeIdentity {
  uint32_t uid = 0, gid = 0;
};

// `socket`: of munged; empty: MUNGE's own default. Both block for about a millisecond; for some seconds if munged hangs.
// Errors: kUnreachable, munged does not answer: the text names its socket and the remedy.
Result<std::string> munge_encode(const std::string& socket, const Seal& payload);
// Who made the credential, if it is made over `payload`, has not expired, and has not been decoded on this node before.
// Errors: kUnreachable; kDenied, the text tells why: for logs, never for peers.
Result<MungeIdentity> munge_decode(const std::string& socket, const std::string& credential, const Seal& payload);

}  // namespace godwit::identity
