// Plans through the C API, against real daemons.
#include <godwit/godwit.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using nlohmann::json;

constexpr const char* kNoSuchId = "0123456789abcdef0123456789abcdef";

struct CloseClient {
  void operator()(godwit_client* client) const { godwit_client_close(client); }
};

// What a call has written as JSON; freed.
json taken(char* text) {
  json value = json::parse(text, nullptr, false);
  godwit_free(text);
  return value;
}

class Plan : public ::testing::Test {
 protected:
  void SetUp() override {
    godwit_client* opened = nullptr;
    ASSERT_EQ(godwit_client_open(nullptr, &opened), GODWIT_OK);
    client_.reset(opened);
  }
  static DaemonOptions options() {
    DaemonOptions all;
    all.targets = {{"fast", "dram", "64MiB"}};
    return all;
  }
  void region(const Daemon& at, const char* name, uint64_t bytes) {
    godwit_target* target = nullptr;
    ASSERT_EQ(godwit_target_open(client(), at.address().c_str(), "fast", &target), GODWIT_OK) << godwit_last_error();
    godwit_region* made = nullptr;
    EXPECT_EQ(godwit_region_create(target, name, bytes, &made), GODWIT_OK) << godwit_last_error();
    godwit_region_close(made);
    godwit_target_close(target);
  }
  static std::string document(const Daemon& to, const std::string& stages) {
    return R"({"to": ")" + to.address() + R"(", "target": "fast", "stages": [)" + stages + "]}";
  }
  json make(const Daemon& at, const std::string& document) {
    char* plan = nullptr;
    EXPECT_EQ(godwit_plan_make(client(), at.address().c_str(), document.c_str(), &plan), GODWIT_OK) << godwit_last_error();
    return plan == nullptr ? json() : taken(plan);
  }
  json show(const Daemon& at, const std::string& id) {
    char* plan = nullptr;
    EXPECT_EQ(godwit_plan_show(client(), at.address().c_str(), id.c_str(), &plan), GODWIT_OK) << godwit_last_error();
    return plan == nullptr ? json() : taken(plan);
  }
  // Once it has ended.
  json ended(const Daemon& at, const std::string& id) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    json plan = show(at, id);
    while (plan["state"] == "running" && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      plan = show(at, id);
    }
    return plan;
  }
  json list(const Daemon& at) {
    char* plans = nullptr;
    EXPECT_EQ(godwit_plan_list(client(), at.address().c_str(), &plans), GODWIT_OK) << godwit_last_error();
    return plans == nullptr ? json() : taken(plans);
  }
  godwit_client* client() const { return client_.get(); }

  std::unique_ptr<godwit_client, CloseClient> client_;
};

TEST_F(Plan, IsMadeExecutedShownListedAndRemoved) {
  const Daemon here(options()), there(options());
  region(here, "field", 1 << 20);
  region(here, "mesh", 1 << 20);
  const json made = make(here, document(there, R"({"objects": [{"region": "field"}]}, {"objects": [{"region": "mesh"}]})"));
  EXPECT_EQ(made["ok"], true);
  EXPECT_EQ(made["state"], "planned");
  EXPECT_EQ(made["bytes"], 2 << 20);
  const std::string id = made["id"];
  char* begun = nullptr;
  ASSERT_EQ(godwit_plan_execute(client(), here.address().c_str(), id.c_str(), &begun), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(taken(begun)["id"], id);
  const json plan = ended(here, id);
  EXPECT_EQ(plan["state"], "done") << plan;
  EXPECT_EQ(plan["stages_done"], 2);
  godwit_region* found = nullptr;
  EXPECT_EQ(godwit_region_open(client(), there.address().c_str(), "mesh", &found), GODWIT_OK) << godwit_last_error();
  godwit_region_close(found);
  ASSERT_EQ(list(here).size(), 1U);
  EXPECT_EQ(list(here)[0]["id"], id);
  EXPECT_EQ(godwit_plan_execute(client(), here.address().c_str(), id.c_str(), nullptr), GODWIT_ERR_BUSY);
  EXPECT_EQ(godwit_plan_cancel(client(), here.address().c_str(), id.c_str()), GODWIT_ERR_BUSY);
  EXPECT_EQ(godwit_plan_remove(client(), here.address().c_str(), id.c_str()), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(godwit_plan_remove(client(), here.address().c_str(), id.c_str()), GODWIT_ERR_NOT_FOUND);
  EXPECT_TRUE(list(here).empty());
}

TEST_F(Plan, IsItsOwnersAndHeChangesItsMode) {
  const Daemon here(options()), there(options());
  const json made = make(here, document(there, R"({"objects": [{"region": "nothing"}]})"));
  const std::string id = made["id"];
  const char* const at = here.address().c_str();
  EXPECT_EQ(made["mode"], "0600");
  EXPECT_EQ(made["owner"], geteuid());
  EXPECT_EQ(godwit_plan_chmod(client(), at, id.c_str(), 0640), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(show(here, id)["mode"], "0640");
  EXPECT_EQ(godwit_plan_chmod(client(), at, id.c_str(), 0700), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_chmod(client(), at, kNoSuchId, 0600), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(list(here)[0]["mode"], "0640");
}

TEST_F(Plan, ThatWouldNotWorkIsKeptAndNotExecuted) {
  const Daemon here(options()), there(options());
  const json made = make(here, document(there, R"({"objects": [{"region": "nothing"}]})"));
  EXPECT_EQ(made["ok"], false);
  EXPECT_EQ(made["stages"][0]["objects"][0]["error"], "GODWIT_ERR_NOT_FOUND");
  const std::string id = made["id"];
  EXPECT_EQ(godwit_plan_execute(client(), here.address().c_str(), id.c_str(), nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(show(here, id)["state"], "planned");
}

TEST_F(Plan, ThatIsCancelledLeavesItsObjects) {
  const Daemon here(options()), there(options());
  region(here, "field", 16 << 20);
  const json made =
      make(here, document(there, R"({"constraints": {"bandwidth": "1MiB/s"}, "objects": [{"region": "field"}]})"));
  const std::string id = made["id"];
  ASSERT_EQ(godwit_plan_execute(client(), here.address().c_str(), id.c_str(), nullptr), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(godwit_plan_remove(client(), here.address().c_str(), id.c_str()), GODWIT_ERR_BUSY);
  EXPECT_EQ(godwit_plan_cancel(client(), here.address().c_str(), id.c_str()), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(ended(here, id)["state"], "cancelled");
  godwit_region* found = nullptr;
  EXPECT_EQ(godwit_region_open(client(), here.address().c_str(), "field", &found), GODWIT_OK) << godwit_last_error();
  godwit_region_close(found);
}

// Nobody is asked about them: there is no such provider. Many are made within one millisecond.
TEST_F(Plan, OfAHundredTheOldestGoesAndTheNewestIsFirst) {
  const Daemon here(options());
  const std::string document = R"({"to": "none://a", "target": "fast", "stages": [{"objects": [{"region": "nothing"}]}]})";
  std::vector<std::string> made;
  for (int i = 0; i < 101; ++i) made.push_back(make(here, document)["id"]);
  std::vector<std::string> listed;
  for (const json& plan : list(here)) listed.push_back(plan["id"]);
  EXPECT_EQ(listed, std::vector<std::string>(made.rbegin(), made.rend() - 1));
}

TEST_F(Plan, WrongArgumentsLeaveTheOutputsAsTheyWere) {
  const Daemon here(options());
  const char* const at = here.address().c_str();
  char* text = nullptr;
  EXPECT_EQ(godwit_plan_make(nullptr, at, "{}", &text), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_make(client(), nullptr, "{}", &text), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_make(client(), at, nullptr, &text), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_make(client(), at, "{}", nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_make(client(), at, "{}", &text), GODWIT_ERR_INVALID);
  EXPECT_NE(std::string(godwit_last_error()).find("stages"), std::string::npos) << godwit_last_error();
  EXPECT_EQ(godwit_plan_show(client(), at, "123", &text), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_show(client(), at, kNoSuchId, nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_show(client(), at, kNoSuchId, &text), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_plan_execute(client(), at, nullptr, &text), GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_plan_execute(client(), at, kNoSuchId, &text), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_plan_cancel(client(), at, kNoSuchId), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_plan_remove(client(), at, kNoSuchId), GODWIT_ERR_NOT_FOUND);
  EXPECT_EQ(godwit_plan_list(client(), at, nullptr), GODWIT_ERR_INVALID);
  EXPECT_EQ(text, nullptr);
  EXPECT_TRUE(list(here).empty());
}

}  // namespace
