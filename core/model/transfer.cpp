#include "model/transfer.hpp"

#include <fmt/format.h>

namespace godwit::model {

Result<> check(const Transfer& transfer, std::string_view block_name) {
  if (transfer.block_bytes != 0 && (transfer.block_bytes < kBlockBytesMin || transfer.block_bytes > kBlockBytesMax))
    return Error{Errc::kInvalid, fmt::format("{} is {}, not from 4 KiB to 64 MiB", block_name, transfer.block_bytes)};
  if (transfer.streams > kStreamsMax)
    return Error{Errc::kInvalid, fmt::format("{} streams; {} are allowed", transfer.streams, kStreamsMax)};
  if (transfer.compression > Compression::kZstd)
    return Error{Errc::kInvalid, fmt::format("compression {} is none that there is", static_cast<int>(transfer.compression))};
  if (transfer.priority > Priority::kEmergency)
    return Error{Errc::kInvalid, fmt::format("priority {} is none that there is", static_cast<int>(transfer.priority))};
  if (transfer.window.begin >= TimeWindow::kMinutesOfDay || transfer.window.end >= TimeWindow::kMinutesOfDay)
    return Error{Errc::kInvalid, "the time window is not within a day"};
  if (transfer.priority == Priority::kEmergency && transfer.bandwidth_bytes_per_second > 0)
    return Error{Errc::kInvalid, "an emergency knows no limit of bandwidth: leave out one of the two"};
  if (transfer.priority == Priority::kEmergency && !transfer.window.is_always())
    return Error{Errc::kInvalid, "an emergency waits for no time window: leave out one of the two"};
  if (transfer.priority == Priority::kEmergency && transfer.approval)
    return Error{Errc::kInvalid, "an emergency waits for no approval: leave out one of the two"};
  return Done{};
}

}  // namespace godwit::model
