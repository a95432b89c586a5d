// Control messages of peers: protocol::decode(), then every field that there is, as the daemon, the client and libgodwit read
// it.
//
// Must hold: the verdict does not depend on how the bytes are aligned; no field of an accepted message lies outside of it
// (AddressSanitizer); the error of a peer is one of ours, without control characters, and survives being sent on.
#include <flatbuffers/minireflect.h>
#include "client/to_c.hpp"
#include "fuzz.hpp"
#include "model/phase.hpp"
#include "protocol/codec.hpp"

namespace godwit::fuzz {
namespace {

using protocol::Decoded;

// Every field by the schema's own description, also of tables that nobody reads yet.
void read_everything(const Decoded& message) {
  flatbuffers::ToStringVisitor visitor(" ");
  flatbuffers::IterateObject(reinterpret_cast<const uint8_t*>(&message.message()), wire::MessageTypeTable(), &visitor);
}

template <class Entries>
void to_structs(const Entries* entries) {
  if (entries == nullptr) return;
  for (const auto* entry : *entries) (void)client::to_c(*entry);
}

// As libgodwit hands replies of a daemon to a C program.
void read_as_client(const Decoded& message) {
  if (const auto* reply = message.body<wire::TargetListReply>()) to_structs(reply->targets());
  if (const auto* reply = message.body<wire::RegionListReply>()) to_structs(reply->regions());
  if (const auto* reply = message.body<wire::JobListReply>()) to_structs(reply->jobs());
  if (const auto* reply = message.body<wire::JobResultsReply>()) to_structs(reply->results());
  if (const auto* reply = message.body<wire::JobReply>(); reply != nullptr && reply->entry() != nullptr)
    (void)client::to_c(*reply->entry());
}

void send_on(const Decoded& message) {
  const auto* reply = message.body<wire::ErrorReply>();
  if (reply == nullptr) return;
  const Error error = protocol::from_wire(*reply);
  for (const char c : error.text)
    must(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an error can be logged", error.text);
  protocol::Encoder encoder;
  const auto sent = protocol::decode(encoder.error(message.request(), error));
  must(bool(sent) && sent->request() == message.request(), "our own error reply is accepted");
  const auto* body = sent->body<wire::ErrorReply>();
  must(body != nullptr && protocol::from_wire(*body).code == error.code, "an error keeps its code");
  must(protocol::from_wire(*body).text == error.text, "an error keeps its text", error.text);
}

bool accepts(const std::vector<std::byte>& bytes) { return bool(protocol::decode(bytes)); }

void read(std::span<const std::byte> bytes, size_t offset) {
  std::vector<uint64_t> memory(bytes.size() / sizeof(uint64_t) + 2);
  auto* const at = reinterpret_cast<std::byte*>(memory.data()) + offset;
  std::copy(bytes.begin(), bytes.end(), at);
  const auto message = protocol::decode({at, bytes.size()});
  must(bool(message) == accepts({bytes.begin(), bytes.end()}), "alignment does not matter");
  if (!message) return must(message.error().code == Errc::kProtocol, "a bad message is kProtocol");
  read_everything(*message);
  read_as_client(*message);
  send_on(*message);
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  godwit::fuzz::read(std::as_bytes(std::span(data, size)), size % 8);
  return 0;
}
