// Rules: what names and addresses may look like; checked here so that a mistake costs no round trip.
#pragma once

#include <string_view>

#include "base/id.hpp"
#include "base/result.hpp"
#include "fabric/address.hpp"
#include "model/transfer.hpp"

namespace godwit::client {

// A region's name: 1 to 128 bytes of UTF-8 without control characters, and not 32 hexadecimal digits, which would be an id.
// Errors: kInvalid; the text says which rule.
Result<> check_region_name(std::string_view name);
// A database's name, and a collection's: as a region's. Errors: kInvalid.
Result<> check_database_name(std::string_view name);
Result<> check_collection_name(std::string_view name);
// A target's name: 1 to 64 bytes of UTF-8 without control characters. Errors: kInvalid.
Result<> check_target_name(std::string_view name);
// An address from a C caller. Errors: kInvalid, also for NULL.
Result<fabric::Address> address_from(const char* text);
// An id from a C caller; `what` names the argument. Errors: kInvalid, NULL or not 32 hexadecimal digits.
Result<Id> id_from(const char* text, std::string_view what);

// Options from a C caller: numbers that are checked here. `time_window` may be NULL.
struct TransferOptions {
  uint64_t block_bytes;
  std::string_view block_name;  // What the option is called.
  uint32_t streams;
  uint64_t bandwidth;
  int compression;
  int verify;
  int priority;
  const char* time_window;
  int approval;
  uint64_t max_downtime_ms;
};
// Errors: kInvalid; the text names the option, or those that contradict each other.
Result<model::Transfer> transfer_from(const TransferOptions& options);
// Of any of the C API's structures.
template <class Options>
Result<model::Transfer> transfer_of(const Options& options, uint64_t block_bytes, std::string_view block_name = "block_bytes") {
  return transfer_from({block_bytes, block_name, options.streams, options.bandwidth, options.compression, options.verify,
                        options.priority, options.time_window, options.approval, options.max_downtime_ms});
}

}  // namespace godwit::client
