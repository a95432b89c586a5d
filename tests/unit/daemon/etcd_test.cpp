// What is written to, and believed of, a directory.
#include "daemon/etcd.hpp"

#include <gtest/gtest.h>

#include <string>

#include "daemon/directory.hpp"

namespace {

using godwit::Errc;
using godwit::Id;
using godwit::daemon::Etcd;
using godwit::daemon::from_base64;
using godwit::daemon::owner_record_from;
using godwit::daemon::OwnerRecord;
using godwit::daemon::to_base64;
using godwit::daemon::to_text;

TEST(Base64, IsThatOfRfc4648) {
  EXPECT_EQ(to_base64(""), "");
  EXPECT_EQ(to_base64("f"), "Zg==");
  EXPECT_EQ(to_base64("fo"), "Zm8=");
  EXPECT_EQ(to_base64("foo"), "Zm9v");
  EXPECT_EQ(to_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(to_base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(to_base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(to_base64("\xfb\xff\xfe"), "+//+");
}

TEST(Base64, ComesBackWhateverTheBytes) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes) << i;
    bytes += static_cast<char>(i * 37);
  }
}

TEST(Base64, WhatIsNoneIsRefused) {
  for (const char* text : {"Z", "Zg=", "Zg", "Zg=v", "Z===", "====", "Zg==Zg==", "Zm9*", "Zm9v\n", "Zm9v   "})
    EXPECT_EQ(from_base64(text), std::nullopt) << text;
}

TEST(OwnerRecords, ComeBack) {
  const auto record = owner_record_from(to_text(OwnerRecord{{1, 2}, "tcp://n1:7411", 7, "tcp://n2:7411", "a job"}));
  ASSERT_TRUE(record);
  EXPECT_EQ(record->node, (Id{1, 2}));
  EXPECT_EQ(record->address, "tcp://n1:7411");
  EXPECT_EQ(record->epoch, 7u);
  EXPECT_EQ(record->claimed_for, "tcp://n2:7411");
  EXPECT_EQ(record->job, "a job");
}

TEST(OwnerRecords, WhatIsNoneIsNotBelieved) {
  const std::string node = R"("node": "00000000000000010000000000000002")", address = R"("address": "tcp://n1:1")";
  EXPECT_TRUE(owner_record_from("{" + node + ", " + address + R"(, "epoch": 1})"));
  for (const std::string& text :
       {std::string(), std::string("[]"), std::string("7"), "{" + node + ", " + address + "}",
        "{" + node + ", " + address + R"(, "epoch": -1})", "{" + node + ", " + address + R"(, "epoch": "1"})",
        "{" + node + R"(, "address": "n1", "epoch": 1})", "{" + node + R"(, "address": 5, "epoch": 1})",
        "{" + address + R"(, "epoch": 1})", R"({"node": "1", )" + address + R"(, "epoch": 1})",
        R"({"node": "00000000000000000000000000000000", )" + address + R"(, "epoch": 1})"})
    EXPECT_FALSE(owner_record_from(text)) << text;
}

TEST(EtcdClient, WhereNobodyAnswersItSaysSo) {
  Etcd nobody(godwit::daemon::EtcdSettings{{"http://127.0.0.1:1", "http://127.0.0.1:2"}, {}, {}, {}, {}, {}});
  EXPECT_EQ(nobody.get("key").error().code, Errc::kUnreachable);
  EXPECT_EQ(nobody.grant(10).error().code, Errc::kUnreachable);
  EXPECT_NE(nobody.change({{"key", "value", 0}}).error().text.find("127.0.0.1"), std::string::npos);
}

}  // namespace
