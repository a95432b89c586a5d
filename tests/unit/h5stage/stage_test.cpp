#include "godwit-h5stage/stage.hpp"

#include "expect_failure.hpp"

namespace godwit::h5stage {
namespace {

// Two pieces of 8 bytes and one of 4, in two regions; and a scalar.
Stage stage() {
  return {"run7.h5",
          "2026-11-22T12:00:00Z",
          8,
          {{"/t\xff",
            {{5}, {}, 4, false},
            {{0, 2, 16, "id0", "n0", "tcp://n1:7411"}, {2, 1, 4, "id1", "n1", "tcp://n2:7411"}},
            {1, UINT64_MAX, 3}},
           {"/s", {{}, {}, 8, true}, {{0, 1, 8, "id2", "n2", "tcp://n1:7411"}}, {4}}}};
}

TEST(Stage, ComesBackFromItsText) {
  const Stage back = from_text(to_text(stage()));
  EXPECT_EQ(to_text(back), to_text(stage()));
  EXPECT_EQ(back.file, "run7.h5");
  EXPECT_EQ(back.datasets[0].path, "/t\xff") << "names are bytes";
  EXPECT_EQ(back.datasets[0].digests[1], UINT64_MAX);
  EXPECT_EQ(back.datasets[0].parts[1].address, "tcp://n2:7411");
  EXPECT_TRUE(back.datasets[1].shape.is_filtered);
  EXPECT_EQ(back.bytes(), 28u);
  EXPECT_EQ(back.parts(), 3u);
}

TEST(Stage, WithPartsThatDoNotFitIsRefused) {
  const auto refuse = [](const char* told, const auto& change) {
    Stage bad = stage();
    change(bad);
    expect_failure(GODWIT_ERR_CORRUPT, told, [&] { from_text(to_text(bad)); });
  };
  const char* parts = "do not fit";
  refuse(parts, [](Stage& bad) { bad.datasets[0].parts.pop_back(); });
  refuse(parts, [](Stage& bad) { bad.datasets[0].parts[1].first = 1; });
  refuse(parts, [](Stage& bad) { bad.datasets[0].parts[1].pieces = 2; });
  refuse(parts, [](Stage& bad) { bad.datasets[0].parts[1].pieces = SIZE_MAX; });
  refuse(parts, [](Stage& bad) { bad.datasets[0].parts[0].bytes = 15; });
  refuse(parts, [](Stage& bad) { bad.datasets[0].digests.pop_back(); });
  refuse(parts, [](Stage& bad) { bad.datasets[1].parts.push_back({1, 0, 0, "", "", ""}); });
  refuse("cannot be true", [](Stage& bad) { bad.datasets[0].shape.dims[0] = 0; });
  refuse("cannot be true", [](Stage& bad) { bad.datasets[0].shape.dims[0] = UINT64_MAX; });
}

TEST(Stage, WithNumbersThatAreNoneIsRefused) {
  const std::string good = to_text(stage());
  const auto refuse = [&](const std::string& number, const std::string& instead) {
    std::string bad = good;
    const size_t at = bad.find(number);
    ASSERT_NE(at, std::string::npos) << number;
    bad.replace(at, number.size(), instead);
    expect_failure(GODWIT_ERR_CORRUPT, "where a ", [&] { from_text(bad); });
  };
  for (const char* bad : {"-1", "1.5", "1e30", "18446744073709551616", "\"1\"", "null", "true", "[]"}) {
    for (const char* key : {"\"bytes\":16", "\"first\":2", "\"pieces\":2", "\"element_bytes\":4", "\"piece_bytes\":8"})
      refuse(key, std::string(key).substr(0, std::string(key).find(':') + 1) + bad);
    refuse("\"dims\":[5]", std::string("\"dims\":[") + bad + "]");
    refuse("\"chunk\":[]", std::string("\"chunk\":[") + bad + "]");
    refuse("\"digests\":[1,", std::string("\"digests\":[") + bad + ",");
    refuse("\"path\":[47,", std::string("\"path\":[") + bad + ",");
  }
  refuse("\"path\":[47,", "\"path\":[256,");
  refuse("\"dims\":[5]", "\"dims\":5");
}

TEST(Stage, OfAnotherTextIsRefused) {
  for (const char* text : {"", "{}", "[]", "x", R"({"file":1,"time":"","piece_bytes":1,"datasets":[]})",
                           R"({"file":"","time":"","piece_bytes":1,"datasets":[1]})"})
    expect_failure(GODWIT_ERR_CORRUPT, "cannot be read", [&] { from_text(text); });
}

TEST(Head, ComesBackFromItsBytes) {
  const std::string bytes = encode_head("text", std::string("skele\0ton", 9));
  const Head head = decode_head(bytes);
  EXPECT_EQ(head.text, "text");
  EXPECT_EQ(head.skeleton, std::string_view("skele\0ton", 9));
}

TEST(Head, IsKeptAsDocsDesignSays) {
  const std::string bytes = encode_head("t", "sk");
  const char golden[] = "GODWITH5\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0tsk";
  ASSERT_EQ(bytes.size(), sizeof golden - 1 + 8);
  EXPECT_EQ(bytes.substr(0, sizeof golden - 1), std::string(golden, sizeof golden - 1));
}

TEST(Head, EveryDamageIsSeen) {
  const std::string good = encode_head("some text", "and a skeleton");
  for (size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_THROW(decode_head(bad), Failure) << at;
    EXPECT_THROW(decode_head(good.substr(0, at)), Failure) << at;
  }
  EXPECT_THROW(decode_head(good + "x"), Failure);
  expect_failure(GODWIT_ERR_CORRUPT, "is none", [] { decode_head("another region, that was called so by somebody"); });
}

TEST(Head, WithSizesThatDoNotFitIsRefusedThoughItsDigestIsRight) {
  for (const size_t at : {size_t{16}, size_t{24}}) {
    std::string bytes = encode_head("text", "skeleton");
    bytes[at] = static_cast<char>(bytes[at] + 1);
    const uint64_t digest = digest_of(bytes.data(), bytes.size() - 8);
    for (size_t byte = 0; byte < 8; ++byte) bytes[bytes.size() - 8 + byte] = static_cast<char>(digest >> (8 * byte) & 0xff);
    expect_failure(GODWIT_ERR_CORRUPT, "sizes do not fit", [&] { decode_head(bytes); });
  }
}

TEST(Head, OfALaterFormatIsTold) {
  std::string later = encode_head("", "");
  later[8] = 2;
  expect_failure(GODWIT_ERR_VERSION, "version 2", [&] { decode_head(later); });
}

}  // namespace
}  // namespace godwit::h5stage
