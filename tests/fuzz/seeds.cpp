// Writes the first inputs of the binary fuzzers, made by our own encoders: fuzz_seeds DIRECTORY. Texts are in tests/fuzz/seeds.
#include <filesystem>

#include "fabric/introduction.hpp"
#include "fabric/packet.hpp"
#include "fuzz.hpp"
#include "identity/statement.hpp"
#include "model/compression.hpp"
#include "protocol/codec.hpp"
#include "protocol/fileset_codec.hpp"

namespace godwit::fuzz {
namespace {

// Numbers the seeds of one fuzzer.
class Folder {
 public:
  explicit Folder(const std::string& path) : path_(path) { std::filesystem::create_directories(path); }
  void add(std::span<const std::byte> bytes, const std::string& before = {}) {
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    write_all(path_ + "/seed-" + std::to_string(count_++), before + text);
  }
  void add_text(const std::string& text) { add(std::as_bytes(std::span(text))); }

 private:
  std::string path_;
  int count_ = 0;
};

const wire::Id kId(1, 2);

// Requests of clients, `add`ed one by one.
template <class Add>
void each_request(protocol::Encoder& encoder, const Add& add) {
  auto& b = encoder.builder();
  const std::vector<uint8_t> data{1, 2, 3, 4};
  const std::vector<wire::Id> ids{kId};
  const wire::Transfer transfer(65536, 1'000'000, 2, 1, 2, true, false, 1320, 360, 1500);
  add(encoder.finish(1, wire::CreatePingRequest(b)));
  add(encoder.finish(2, wire::CreateTargetListRequest(b)));
  add(encoder.finish(3, wire::CreateRegionCreateRequestDirect(b, "fast", "field", 4, &data)));
  add(encoder.finish(4, wire::CreateRegionStatRequestDirect(b, nullptr, "field")));
  add(encoder.finish(5, wire::CreateRegionListRequestDirect(b, "fast", &kId, 10)));
  add(encoder.finish(6, wire::CreateRegionWriteRequestDirect(b, &kId, 0, 4, &data)));
  add(encoder.finish(7, wire::CreateRegionReadRequest(b, &kId, 0, 4)));
  add(encoder.finish(8, wire::CreateRegionPersistRequest(b, &kId, 0, 4)));
  add(encoder.finish(9, wire::CreateRegionEraseRequest(b, &kId)));
  add(encoder.finish(10, wire::CreateMigrateRequestDirect(b, &ids, "tcp://127.0.0.1:1", "keep", true, "there", &transfer)));
  add(encoder.finish(11, wire::CreateJobRequest(b, &kId, 0, wire::JobAction::pause, 1000)));
  add(encoder.finish(12, wire::CreateJobResultsRequest(b, &kId, 0, 10)));
  add(encoder.finish(13, wire::CreateDecisionRequest(b, &kId)));
  const std::vector<flatbuffers::Offset<flatbuffers::String>> paths{b.CreateString("/scratch/run")};
  const std::vector<flatbuffers::Offset<wire::FileRuleEntry>> rules{wire::CreateFileRuleEntryDirect(b, false, "*.tmp")};
  add(encoder.finish(14, wire::CreateMigrateFilesRequestDirect(b, &paths, "tcp://127.0.0.1:1", "/scratch", true, &transfer,
                                                               true, true, true, true, true, &rules)));
  add(encoder.finish(15, wire::CreateJobFilesRequest(b, &kId, 0, 10)));
  add(encoder.finish(16, wire::CreateMigrateDatabaseRequestDirect(b, &kId, "tcp://127.0.0.1:1", "/data", "{}", &transfer)));
  add(encoder.finish(17,
                     wire::CreatePlanRequestDirect(
                         b, R"({"to":"none://a","target":"fast","stages":[{"name":"a","objects":[{"region":"field"}]}]})")));
  add(encoder.finish(18, wire::CreatePlanActionRequest(b, &kId, wire::PlanAction::execute)));
  add(encoder.finish(19, wire::CreatePlanListRequest(b)));
  add(encoder.finish(20, wire::CreateGroupRequest(b)));
  add(encoder.finish(21, wire::CreateLocateRequestDirect(b, nullptr, "field", 3, true)));
}

template <class Add>
void each_of_a_job(protocol::Encoder& encoder, const Add& add) {
  auto& b = encoder.builder();
  const std::vector<wire::ReadyBlock> ready{wire::ReadyBlock(0, 100, 4096, wire::DigestValue(5, 6), 1, 8)};
  const std::vector<wire::DoneBlock> done{wire::DoneBlock(0, 0, false)};
  const std::vector<uint32_t> failed{1};
  const wire::Window window(4096, 7, 65536);
  const std::vector<flatbuffers::Offset<wire::ObjectOffer>> objects{wire::CreateObjectOfferDirect(b, &kId, 1, 4096, "field")};
  add(encoder.finish(1, wire::CreateOfferRequestDirect(b, &kId, "tcp://127.0.0.1:1", "keep", false, 65536, 2, &objects, &kId)));
  add(encoder.finish(2, wire::CreatePrepareRequestDirect(b, &kId, &failed)));
  add(encoder.finish(3, wire::CreateCommitRequest(b, &kId)));
  add(encoder.finish(4, wire::CreateOutcomeReplyDirect(b, wire::Outcome::prepared, 0, "why", &kId)));
  add(encoder.finish(5, wire::CreateBlocksReadyDirect(b, &window, &ready)));
  add(encoder.finish(6, wire::CreateBlocksDoneDirect(b, &done)));
}

template <class Add>
void each_reply(protocol::Encoder& encoder, const Add& add) {
  auto& b = encoder.builder();
  const std::vector<flatbuffers::Offset<wire::TargetEntry>> targets{
      wire::CreateTargetEntryDirect(b, "fast", "dram", "nothing", 1 << 20, 4096, 1 << 19, 1)};
  add(encoder.finish(1, wire::CreateTargetListReplyDirect(b, &targets)));
  const std::vector<flatbuffers::Offset<wire::RegionEntry>> regions{
      wire::CreateRegionEntryDirect(b, &kId, 1, 4096, "field", "fast", "tcp://127.0.0.1:1")};
  add(encoder.finish(2, wire::CreateRegionListReplyDirect(b, &regions, true)));
  const auto entry =
      wire::CreateJobEntryDirect(b, &kId, "tcp://a:1", "tcp://b:1", "keep", true, 2, false, 0, "", 1, 2, 3, 4, 1e6, 2);
  add(encoder.finish(3, wire::CreateJobReply(b, entry)));
  const std::vector<wire::ObjectResult> results{wire::ObjectResult(kId, kId, 4096, 0)};
  add(encoder.finish(4, wire::CreateJobResultsReplyDirect(b, &results, 1, "{}")));
  const std::vector<flatbuffers::Offset<wire::PlaceEntry>> places{
      wire::CreatePlaceEntryDirect(b, wire::PlaceKind::region, &kId, 1, "field", "fast", "tcp://127.0.0.1:1")};
  add(encoder.finish(6, wire::CreateLocateReplyDirect(b, &kId, &places)));
  const std::vector<flatbuffers::Offset<wire::MemberEntry>> members{
      wire::CreateMemberEntryDirect(b, "tcp://127.0.0.1:1", &kId, 0, "")};
  add(encoder.finish(7, wire::CreateGroupReplyDirect(b, &members)));
  add(encoder.error(5, Error{Errc::kMoved, "it has moved"}, "tcp://b:1", "keep", Id{3, 4}));
}

void write_messages(const std::string& root) {
  Folder messages(root + "/messages"), requests(root + "/requests");
  protocol::Encoder encoder;
  const auto add = [&](std::span<const std::byte> bytes) { messages.add(bytes); };
  each_request(encoder, [&](std::span<const std::byte> bytes) {
    messages.add(bytes);
    requests.add(bytes, std::string(1, '\0'));
  });
  each_of_a_job(encoder, add);
  each_reply(encoder, add);
  // A list: create 'a' with "data", write, read, move it to 'keep', ask, list.
  using namespace std::string_literals;
  requests.add_text("\1"s + "\0\1a\1\0\4data\0"s + "\1\0\0\2xy\1"s + "\2\0\0\4"s + "\5\1\0\0\4keep\0\0\0\2"s + "\6\0\0\0\1"s +
                    "\7\0\0"s);
}

void write_filesets(const std::string& root) {
  Folder folder(root + "/filesets");
  using model::FileKind;
  model::Fileset files;
  files.entries.resize(5);
  files.entries[0] = {FileKind::kDirectory, model::kNoFile, "top", 0755};
  files.entries[1] = {FileKind::kRegular,
                      0,
                      "a",
                      0644,
                      1,
                      2,
                      {3, 4},
                      10,
                      {{0, 10}},
                      {},
                      model::kNoFile,
                      std::vector<model::Xattr>{{"user.x", "y"}}};
  files.entries[2] = {FileKind::kRegular, 0, "b", 0600, 0, 0, {}, 100, {{10, 20}, {50, 50}}};
  files.entries[3] = {FileKind::kSymlink, 0, "c", 0777, 0, 0, {}, 0, {}, "../x"};
  files.entries[4] = {FileKind::kHardLink, 0, "d", 0644, 0, 0, {}, 0, {}, {}, 1};
  if (auto bytes = protocol::encode(files)) folder.add(*bytes);
}

// As blocks.cpp reads them: what to do, elements, the block's length, the stored bytes.
void write_blocks(const std::string& root) {
  using namespace std::string_literals;
  Folder folder(root + "/blocks");
  std::vector<std::byte> block(512), room(block.size());
  for (size_t i = 0; i < block.size(); ++i) block[i] = static_cast<std::byte>(i % 8 < 3 ? i : 0);
  for (const auto compression : {model::Compression::kLz4, model::Compression::kZstd}) {
    const char choice = compression == model::Compression::kLz4 ? '\0' : '\1';
    model::Compressor compressor(compression);
    if (const auto stored = compressor.compress(block, room))
      folder.add(std::span(room).first(stored->bytes),
                 std::string{choice, static_cast<char>(stored->element_bytes), '\xff', 0, 2, 0, 0, 0, 0, 0, 0});
    folder.add(block, std::string{static_cast<char>(choice + 2), '\0'});
  }
}

void write_handshake(const std::string& root) {
  using namespace fabric;
  Folder folder(root + "/handshake");
  for (const PacketKind kind : {PacketKind::kData, PacketKind::kBye, PacketKind::kHello}) {
    std::array<std::byte, kHeaderBytes> header{};
    encode(PacketHeader{kind, 1, 2, 3}, header.data());
    folder.add(header);
  }
  const Hello hello{Purpose::kStream, Id{1, 2}};
  folder.add(encode(hello));
  folder.add(encode(Refusal{Errc::kBusy}));
  for (const char* location : {"127.0.0.1:7411", "[::1]:7411", "node-a"}) {
    fi_info info{};
    info.addr_format = location[0] == 'n' ? FI_ADDR_STR : FI_SOCKADDR;
    if (auto name = resolve(info, location)) folder.add(encode_introduction(hello, *name));
  }
  folder.add(encode(identity::Challenge{identity::Method::kKey, Id{1, 2}, {}}));
  folder.add(encode(identity::Answer{1000, 100, {}, "MUNGE:credential:"}));
  folder.add(encode(identity::Verdict{true, 1000, 100, "MUNGE:credential:"}));
}

// Nothing changed, and the capacity, signed again; the layout is said in each fuzzer.
void write_storage(const std::string& root) {
  using namespace std::string_literals;
  Folder pools(root + "/pools");
  for (const char choices : {'\2', '\7', '\12', '\17', '\0'}) pools.add_text(std::string(1, choices) + "\0\0"s);
  pools.add_text("\13\1\0\40\377\0\0\1\0\0\0\0\0\3"s);
  Folder journal(root + "/journal");
  for (const char* text : {"\2", "\2\1\1\1\1\2\0\1\2\1a\2\4keep\1\0\3", "\2\1\3\1\1\1\0\7\0\1", "\2\100\1"})
    journal.add_text(text);
  journal.add_text("\0\1\1\0\0\1"s);
}

}  // namespace
}  // namespace godwit::fuzz

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string root = argv[1];
  godwit::fuzz::write_messages(root);
  godwit::fuzz::write_filesets(root);
  godwit::fuzz::write_blocks(root);
  godwit::fuzz::write_handshake(root);
  godwit::fuzz::write_storage(root);
  return 0;
}
