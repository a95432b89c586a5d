#include "fabric/address.hpp"

#include <algorithm>

namespace godwit::fabric {

namespace {
constexpr size_t kAddressBytesMax = 256;
}

Result<Address> parse_address(std::string_view text) {
  if (text.size() > kAddressBytesMax) return Error{Errc::kInvalid, "an address is at most 256 bytes long"};
  if (std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return Error{Errc::kInvalid, "an address has no control characters"};
  }
  const size_t split = text.find("://");
  if (split == std::string_view::npos || split == 0 || split + 3 == text.size()) {
    return Error{Errc::kInvalid,
                 "'" + std::string(text) + "' is no address; write provider://location, as in tcp://10.0.0.1:7411"};
  }
  return Address{std::string(text.substr(0, split)), std::string(text.substr(split + 3))};
}

std::string to_string(const Address& address) { return address.provider + "://" + address.location; }

}  // namespace godwit::fabric
