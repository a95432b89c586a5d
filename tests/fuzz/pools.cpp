// Pools of kind pmem and file: a real one whose header, length and bytes have been changed, opened as the daemon does.
//
// Input: the kind and the capacity that are configured, changes of the header, whether it is signed again as another writer
// would do, and by how much the file is longer or shorter. Must hold: a pool is served only if docs/design/pool.md allows it,
// and then wholly; it is refused with kCorrupt otherwise, and not one byte of it has changed.
#include "base/digest.hpp"
#include "fuzz.hpp"
#include "pmem/pool_header.hpp"
#include "pmem/target.hpp"

namespace godwit::fuzz {
namespace {

using namespace pmem;

constexpr uint64_t kCapacityBytes = 32768;
constexpr size_t kDigestAt = 4080;

struct Case {
  TargetSettings settings;
  std::string file;
};

void sign(std::string& file) {
  const Digest digest = digest_of(std::as_bytes(std::span(file)).first(kDigestAt));
  std::memcpy(file.data() + kDigestAt, &digest.low, sizeof digest.low);
  std::memcpy(file.data() + kDigestAt + 8, &digest.high, sizeof digest.high);
}

void change(Input& input, std::string& file) {
  for (unsigned left = input.byte() % 8; left > 0; --left) {
    const size_t at = input.byte() % 2 == 0 ? input.byte() % 64 : input.number<uint16_t>() % kHeaderBytes;
    const uint64_t value = input.any_number();
    std::memcpy(file.data() + at, &value, std::min<size_t>(1u << (input.byte() % 4), kHeaderBytes - at));
  }
}

Case make(Input& input) {
  static const std::string path = make_directory() + "/pool";
  Case made;
  const uint8_t choices = input.byte();
  made.settings = {"keep", choices & 1 ? Kind::kFile : Kind::kPmem, path, choices & 2 ? kCapacityBytes : input.any_number(),
                   false};
  const PoolHeader header{choices & 4 ? Kind::kFile : Kind::kPmem, Id{1, 2}, kCapacityBytes};
  const HeaderBytes bytes = encode(header);
  made.file.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  change(input, made.file);
  if (choices & 8) sign(made.file);
  made.file.resize(kHeaderBytes + kCapacityBytes);
  if (choices & 16) made.file.resize(input.any_number() % (kHeaderBytes + 3 * kCapacityBytes));
  return made;
}

template <class Number>
Number field(const std::string& file, size_t at) {
  Number value{};
  std::memcpy(&value, file.data() + at, sizeof value);
  return value;
}

// The rules of docs/design/pool.md, said again.
void expect_right(const Case& opened) {
  const std::string& file = opened.file;
  must(file.size() >= kHeaderBytes, "a pool has a header");
  must(file.starts_with("GODWPOOL") && field<uint32_t>(file, 8) == 1, "a pool has its magic and version");
  must(field<uint32_t>(file, 12) == (opened.settings.kind == Kind::kFile ? 2 : 1), "a pool is of the configured kind");
  must(file.size() == kHeaderBytes + field<uint64_t>(file, 32), "a pool is as long as its header says");
  const uint64_t wanted = (opened.settings.capacity_bytes + 4095) / 4096 * 4096;
  must(wanted == 0 || wanted == field<uint64_t>(file, 32), "a pool has the configured capacity");
  must(field<uint64_t>(file, 40) == kHeaderBytes, "a pool's data are where this release reads them");
  std::string again = file;
  sign(again);
  must(again == file, "a pool's checksum is right");
}

void serve(Target& target, uint64_t capacity_bytes) {
  must(target.usage().capacity_bytes == capacity_bytes, "a pool offers its capacity");
  const auto all = target.reserve(capacity_bytes);
  must(bool(all), "all of a pool can be reserved");
  std::vector<std::byte> bytes(capacity_bytes, std::byte{0x5a}), back(capacity_bytes);
  must(bool(target.write(all->offset_bytes, bytes)) && bool(target.persist(*all)), "all of a pool can be written");
  must(bool(target.read(all->offset_bytes, back)) && back == bytes, "all of a pool can be read back");
  must(!target.write(all->offset_bytes + 1, bytes), "a pool ends where it ends");
}

void open(const Case& made) {
  write_all(made.settings.path, made.file);
  auto target = open_target(made.settings);
  if (target) {
    expect_right(made);
    serve(**target, made.file.size() - kHeaderBytes);
    return;
  }
  const Errc code = target.error().code;
  const bool too_large = made.settings.capacity_bytes > uint64_t{1} << 62;
  must(code == Errc::kCorrupt || (too_large && code == Errc::kConfig), "a bad pool is kCorrupt", target.error().text);
  must(read_all(made.settings.path) == made.file, "a refused pool is left as it is");
}

}  // namespace
}  // namespace godwit::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  godwit::fuzz::Input input(data, size);
  const auto made = godwit::fuzz::make(input);
  godwit::fuzz::open(made);
  return 0;
}
