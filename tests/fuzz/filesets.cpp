// What a source says its files are: protocol::decode_fileset(), as a destination does before it makes anything.
//
// Must hold: what is accepted keeps to every rule of model/fileset.hpp, has a path for each entry that stays below the top, and
// survives being sent on.
#include "fuzz.hpp"
#include "protocol/fileset_codec.hpp"

namespace godwit::fuzz {
namespace {

void read(std::span<const std::byte> bytes) {
  const auto files = protocol::decode_fileset(bytes);
  if (!files) {
    must(files.error().code == Errc::kProtocol, "a list is refused for what it says");
    return;
  }
  must(bool(model::check(*files)), "an accepted list keeps to the rules");
  for (uint32_t i = 0; i < files->entries.size() && i < 1000; ++i) {
    const std::string path = "/" + path_of(*files, i) + "/";
    must(path.find("/../") == std::string::npos && path.find("//") == std::string::npos, "no path leads up", path);
    must(path.starts_with("/" + files->entries[0].name + "/"), "every path is below the top", path);
  }
  const auto again = protocol::encode(*files);
  must(bool(again), "an accepted list can be sent on");
  const auto back = protocol::decode_fileset(*again);
  must(bool(back) && *back == *files, "it arrives as it was");
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  godwit::fuzz::read(std::as_bytes(std::span(data, size)));
  return 0;
}
