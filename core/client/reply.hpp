// Reply: one verified answer of a daemon, with the bytes that it lies in.
#pragma once

#include <string>

#include "base/result.hpp"
#include "fabric/channel.hpp"
#include "protocol/codec.hpp"

namespace godwit::client {

class Reply {
 public:
  // Errors: kProtocol, the bytes are no message.
  static Result<Reply> from(fabric::Message bytes) {
    Result<protocol::Decoded> decoded = protocol::decode(bytes);
    if (!decoded) return std::move(decoded).error();
    return Reply(std::move(bytes), *std::move(decoded));
  }
  Reply(Reply&&) = default;
  Reply& operator=(Reply&&) = default;

  uint64_t request() const { return decoded_.request(); }
  // The body if it is a T, else NULL. Valid as long as this reply.
  template <class T>
  const T* body() const {
    return decoded_.body<T>();
  }
  // What the daemon refused with, or NULL.
  const wire::ErrorReply* refusal() const { return body<wire::ErrorReply>(); }
  // The refusal as an error; for an answer of a type that nobody asked for: kProtocol. Names the node.
  Error to_error(const fabric::Address& from) const;

 private:
  Reply(fabric::Message bytes, protocol::Decoded decoded) : bytes_(std::move(bytes)), decoded_(std::move(decoded)) {}

  fabric::Message bytes_;  // A move keeps its bytes in place.
  protocol::Decoded decoded_;
};

// The reply if its body is a T, else its refusal as an error.
template <class T>
Result<Reply> expect(Result<Reply> reply, const fabric::Address& from) {
  if (!reply || reply->template body<T>() != nullptr) return reply;
  return reply->to_error(from);
}

// The job that a daemon says it has started. Errors: its refusal; kProtocol, it does not say.
inline Result<Id> started_job(const Result<Reply>& reply, const fabric::Address& source) {
  if (!reply) return reply.error();
  const auto* answer = reply->body<wire::JobReply>();
  if (answer == nullptr) return reply->to_error(source);
  if (answer->entry() == nullptr || answer->entry()->job() == nullptr)
    return Error{Errc::kProtocol, to_string(source) + ": the daemon does not say which job it started"};
  return protocol::from_wire(answer->entry()->job());
}

}  // namespace godwit::client
