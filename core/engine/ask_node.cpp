#include "engine/ask_node.hpp"

namespace godwit::engine {

Result<fabric::Message> ask_node(Domains& domains, const std::string& address, std::span<const std::byte> question,
                                 milliseconds connect, milliseconds answer) {
  const auto parsed = fabric::parse_address(address);
  if (!parsed) return parsed.error();
  auto domain = domains.of(*parsed);
  if (!domain) return with_context(address, std::move(domain).error());
  auto channel = fabric::Channel::connect(*domain, *parsed, {fabric::Purpose::kControl, Id{}}, Deadline::after(connect));
  if (!channel) return with_context(address, std::move(channel).error());
  if (auto sent = channel->send(question); !sent) return with_context(address, std::move(sent).error());
  auto event = channel->wait(Deadline::after(answer));
  if (!event) return with_context(address, std::move(event).error());
  auto* bytes = std::get_if<fabric::Message>(&*event);
  if (bytes == nullptr) return Error{Errc::kInternal, address + ": an RMA completion on a control connection"};
  return std::move(*bytes);
}

}  // namespace godwit::engine
