// Window: a caller's bytes, open to one daemon's RMA for one call.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "fabric/domain.hpp"
#include "protocol/codec.hpp"

namespace godwit::client {

// Closed when destroyed: destroy it after the connection that it was used on has answered, or was closed.
// Memory that cannot be registered (file-system DAX, read-only mappings over verbs) is staged: copied to a buffer of ours.
class Window {
 public:
  // The daemon may read `bytes`, which must stay as they are meanwhile.
  // Errors: as Domain::register_memory, but for kUnsupported.
  static Result<Window> to_be_read(fabric::Domain& domain, std::span<const std::byte> bytes);
  // The daemon may write to `bytes`; they hold what it wrote after land().
  static Result<Window> to_be_written(fabric::Domain& domain, std::span<std::byte> bytes);

  wire::Window on_wire() const;
  // Puts staged bytes in their place; nothing to do for registered ones.
  void land();

 private:
  Window(std::span<std::byte> bytes, std::vector<std::byte> staged, fabric::Registration registration)
      : bytes_(bytes), staged_(std::move(staged)), registration_(std::move(registration)) {}

  std::span<std::byte> bytes_;
  std::vector<std::byte> staged_;      // Empty unless staged.
  fabric::Registration registration_;  // Closed before staged_ is freed.
};

}  // namespace godwit::client
