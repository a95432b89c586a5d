#include "client/window.hpp"

#include <cstring>

namespace godwit::client {

Result<Window> Window::to_be_read(fabric::Domain& domain, std::span<const std::byte> bytes) {
  // libfabric takes no pointer to const; only remote reads are granted, so nothing writes through it.
  const std::span<std::byte> exposed{const_cast<std::byte*>(bytes.data()), bytes.size()};
  Result<fabric::Registration> direct = domain.register_memory(exposed, fabric::Access::kRemoteRead);
  if (direct) return Window(exposed, {}, *std::move(direct));
  if (direct.error().code != Errc::kUnsupported) return std::move(direct).error();
  std::vector<std::byte> staged(bytes.begin(), bytes.end());
  Result<fabric::Registration> copy = domain.register_memory(staged, fabric::Access::kRemoteRead);
  if (!copy) return std::move(copy).error();
  return Window(exposed, std::move(staged), *std::move(copy));
}

Result<Window> Window::to_be_written(fabric::Domain& domain, std::span<std::byte> bytes) {
  Result<fabric::Registration> direct = domain.register_memory(bytes, fabric::Access::kRemoteWrite);
  if (direct) return Window(bytes, {}, *std::move(direct));
  if (direct.error().code != Errc::kUnsupported) return std::move(direct).error();
  std::vector<std::byte> staged(bytes.size());
  Result<fabric::Registration> copy = domain.register_memory(staged, fabric::Access::kRemoteWrite);
  if (!copy) return std::move(copy).error();
  return Window(bytes, std::move(staged), *std::move(copy));
}

wire::Window Window::on_wire() const {
  const fabric::RemoteMemory remote = registration_.remote();
  return wire::Window(remote.address, remote.key, remote.length_bytes);
}

void Window::land() {
  if (!staged_.empty()) std::memcpy(bytes_.data(), staged_.data(), staged_.size());
}

}  // namespace godwit::client
