#include "identity/munge.hpp"

#include <munge.h>

#include <cstdlib>
#include <memory>
#include <type_traits>

#include "identity/key.hpp"

namespace godwit::identity {
namespace {

// A proof is made while a connection opens. Clocks of a site differ by less, and munged refuses those from the future.
constexpr int kTtlSeconds = 60;

struct FreeContext {
  void operator()(munge_ctx_t context) const { munge_ctx_destroy(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<munge_ctx_t>, FreeContext>;

struct Free {
  void operator()(void* bytes) const { std::free(bytes); }
};

Result<Context> make_context(const std::string& socket) {
  Context context(munge_ctx_create());
  if (!context) return Error{Errc::kMemory, "munge: no memory"};
  if (!socket.empty() && munge_ctx_set(context.get(), MUNGE_OPT_SOCKET, socket.c_str()) != EMUNGE_SUCCESS)
    return Error{Errc::kInvalid, "munge: '" + socket + "' cannot be its socket"};
  return context;
}

Error munge_error(munge_ctx_t context, const std::string& socket, munge_err_t code) {
  const char* detail = munge_ctx_strerror(context);
  std::string text = std::string("munge: ") + (detail != nullptr ? detail : munge_strerror(code));
  if (code == EMUNGE_SOCKET || code == EMUNGE_TIMEOUT)
    return Error{Errc::kUnreachable, text + "; run munged on this node" +
                                         (socket.empty() ? ", or name its socket" : ", with its socket at " + socket)};
  return Error{Errc::kDenied, std::move(text)};
}

}  // namespace

Result<std::string> munge_encode(const std::string& socket, const Seal& payload) {
  auto context = make_context(socket);
  if (!context) return std::move(context).error();
  munge_ctx_set(context->get(), MUNGE_OPT_TTL, kTtlSeconds);
  char* made = nullptr;
  const munge_err_t code = munge_encode(&made, context->get(), payload.data(), static_cast<int>(payload.size()));
  const std::unique_ptr<char, Free> credential(made);
  if (code != EMUNGE_SUCCESS) return munge_error(context->get(), socket, code);
  return std::string(credential.get());
}

Result<MungeIdentity> munge_decode(const std::string& socket, const std::string& credential, const Seal& payload) {
  auto context = make_context(socket);
  if (!context) return std::move(context).error();
  void* made = nullptr;
  int length = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  const munge_err_t code = munge_decode(credential.c_str(), context->get(), &made, &length, &uid, &gid);
  const std::unique_ptr<void, Free> bytes(made);  // Also of an expired or replayed one.
  if (code != EMUNGE_SUCCESS) return munge_error(context->get(), socket, code);
  if (length < 0 || !is_same(payload, {static_cast<const std::byte*>(made), static_cast<size_t>(length)}))
    return Error{Errc::kDenied, "the credential was made for another connection"};
  return MungeIdentity{uid, gid};
}

}  // namespace godwit::identity
