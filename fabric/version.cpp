#include "fabric/version.hpp"

#include <fmt/format.h>
#include <rdma/fabric.h>

namespace godwit::fabric {

std::string libfabric_version() {
  const uint32_t version = fi_version();
  return fmt::format("{}.{}", FI_MAJOR(version), FI_MINOR(version));
}

}  // namespace godwit::fabric
