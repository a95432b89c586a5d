// The choice of a provider: by capability, explained, refused with reasons.
#include <algorithm>

#include "fixture.hpp"

namespace godwit::fabric {
namespace {

TEST(ProviderChoice, IsTcpOverMsgWhereThereIsNoRdma) {
  auto choice = choose_provider({});
  ASSERT_TRUE(choice) << choice.error().text;
  if (choice->name != "tcp") GTEST_SKIP() << "this machine has " << choice->name;
  EXPECT_EQ(choice->backend, Backend::kMsg);
  EXPECT_NE(choice->explanation.find("not RDMA"), std::string::npos) << choice->explanation;
}

TEST(ProviderChoice, ShmAndRxmAreRdm) {
  for (const char* name : {"shm", "tcp;ofi_rxm"}) {
    auto choice = choose_provider({name, {}, false});
    ASSERT_TRUE(choice) << choice.error().text;
    EXPECT_EQ(choice->name, name);
    EXPECT_EQ(choice->backend, Backend::kRdm);
  }
}

TEST(ProviderChoice, BindsToALocation) {
  auto choice = choose_provider({"tcp", "127.0.0.1:0", false});
  ASSERT_TRUE(choice) << choice.error().text;
  EXPECT_NE(choice->explanation.find("127.0.0.1"), std::string::npos) << choice->explanation;
  auto domain = Domain::open(std::move(*choice));
  ASSERT_TRUE(domain);
  auto hub = *Hub::open(*domain, {});
  EXPECT_TRUE(hub->listen("127.0.0.1:0"));
}

TEST(ProviderChoice, RequiringRdmaRefusesAFallbackAndSaysWhat) {
  for (const char* name : {"tcp", "shm"}) {
    auto choice = choose_provider({name, {}, true});
    ASSERT_FALSE(choice);
    EXPECT_EQ(choice.error().code, Errc::kUnsupported);
    EXPECT_NE(choice.error().text.find("is not RDMA"), std::string::npos) << choice.error().text;
  }
}

TEST(ProviderChoice, AnUnknownNameIsUnsupportedAndNamed) {
  auto choice = choose_provider({"carrier-pigeon", {}, false});
  ASSERT_FALSE(choice);
  EXPECT_EQ(choice.error().code, Errc::kUnsupported);
  EXPECT_NE(choice.error().text.find("carrier-pigeon"), std::string::npos);
}

TEST(ProviderReport, TellsOfEachProviderWhetherAndWhy) {
  const auto reports = report_providers();
  const auto find = [&](const std::string& name) {
    return std::find_if(reports.begin(), reports.end(), [&](const auto& report) { return report.name == name; });
  };
  ASSERT_NE(find("tcp"), reports.end());
  EXPECT_TRUE(find("tcp")->usable);
  EXPECT_EQ(find("tcp")->backend, "MSG");
  ASSERT_NE(find("shm"), reports.end());
  EXPECT_EQ(find("shm")->backend, "RDM");
  ASSERT_NE(find("verbs"), reports.end());
  EXPECT_TRUE(find("verbs")->is_rdma);
  for (const auto& report : reports) {
    EXPECT_FALSE(report.reason.empty()) << report.name;
    EXPECT_FALSE(report.name.starts_with("ofi_")) << report.name;
  }
}

}  // namespace
}  // namespace godwit::fabric
