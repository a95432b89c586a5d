#include "model/transfer.hpp"

#include <fmt/format.h>

namespace godwit::model {

Result<> check(const Transfer& transfer) {
  if (transfer.block_bytes != 0 && (transfer.block_bytes < kBlockBytesMin || transfer.block_bytes > kBlockBytesMax))
    return Error{Errc::kInvalid, fmt::format("block_bytes is {}, not from 4 KiB to 64 MiB", transfer.block_bytes)};
  if (transfer.streams > kStreamsMax)
    return Error{Errc::kInvalid, fmt::format("{} streams; {} are allowed", transfer.streams, kStreamsMax)};
  if (transfer.compression > Compression::kZstd)
    return Error{Errc::kInvalid, fmt::format("compression {} is none that there is", static_cast<int>(transfer.compression))};
  return Done{};
}

}  // namespace godwit::model
