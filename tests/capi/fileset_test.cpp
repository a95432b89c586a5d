// Filesets through libgodwit, against real daemons: arguments, hooks, plans. What travels: tests/files.
#include <gtest/gtest.h>

#include <godwit/godwit.h>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "support/daemon.hpp"

namespace {

using godwit::test::Daemon;
using godwit::test::DaemonOptions;
using godwit::test::TemporaryDirectory;
namespace fs = std::filesystem;

class Filesets : public testing::Test {
 protected:
  Filesets()
      : source_(DaemonOptions{.targets = {}, .more = "\"file_roots\": [{\"path\": \"" + here() + "\"}]"}),
        destination_(DaemonOptions{.targets = {}, .more = "\"file_roots\": [{\"path\": \"" + there() + "\"}]"}) {
    fs::create_directories(here() + "/tree/sub");
    fs::create_directory(there());
    std::ofstream(here() + "/tree/sub/file") << "content";
    EXPECT_EQ(godwit_client_open(nullptr, &client_), GODWIT_OK);
  }
  ~Filesets() override { godwit_client_close(client_); }

  std::string here() const { return directory_.path() + "/here"; }
  std::string there() const { return directory_.path() + "/there"; }
  int migrate(const godwit_fileset_options* options, const std::string& path = "") {
    const std::string chosen = path.empty() ? here() + "/tree" : path;
    const char* paths[] = {chosen.c_str()};
    return godwit_fileset_migrate(client_, source_.address().c_str(), paths, 1, destination_.address().c_str(), there().c_str(),
                                  options, nullptr, nullptr);
  }

  const TemporaryDirectory directory_;
  Daemon source_, destination_;
  godwit_client* client_ = nullptr;
};

struct Calls {
  std::vector<std::string> made;
  bool was_visible = true;
  std::string refuses;
  std::string visible_path;
};

int before(void* context) {
  auto& calls = *static_cast<Calls*>(context);
  calls.made.push_back("before");
  return calls.refuses == "before" ? 1 : 0;
}

int after(void* context) {
  auto& calls = *static_cast<Calls*>(context);
  calls.made.push_back("after");
  calls.was_visible = fs::exists(calls.visible_path);
  return calls.refuses == "after" ? 1 : 0;
}

godwit_fileset_options hooked(Calls& calls, const std::string& there) {
  calls.visible_path = there + "/tree";
  godwit_fileset_options options = GODWIT_FILESET_OPTIONS_INIT;
  options.before = before;
  options.after = after;
  options.hook_context = &calls;
  return options;
}

TEST_F(Filesets, HooksAreCalledOnceInTheirOrder) {
  Calls calls;
  const godwit_fileset_options options = hooked(calls, there());
  ASSERT_EQ(migrate(&options), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(calls.made, (std::vector<std::string>{"before", "after"}));
  EXPECT_FALSE(calls.was_visible);
  EXPECT_TRUE(fs::exists(there() + "/tree/sub/file"));
}

TEST_F(Filesets, AHookThatRefusesEndsIt) {
  for (const char* which : {"before", "after"}) {
    Calls calls;
    calls.refuses = which;
    godwit_fileset_options options = hooked(calls, there());
    options.move = 1;
    EXPECT_EQ(migrate(&options), GODWIT_ERR_CANCELLED) << godwit_last_error();
    EXPECT_EQ(calls.made.back(), which);
    EXPECT_TRUE(fs::is_empty(there()));
    EXPECT_TRUE(fs::exists(here() + "/tree/sub/file"));
  }
  ASSERT_EQ(migrate(nullptr), GODWIT_OK) << godwit_last_error();
}

TEST_F(Filesets, ADryRunTellsWhatItWouldDo) {
  godwit_fileset_options options = GODWIT_FILESET_OPTIONS_INIT;
  options.dry_run = 1;
  const std::string path = here() + "/tree";
  const char* paths[] = {path.c_str()};
  godwit_migration* migration = nullptr;
  ASSERT_EQ(godwit_fileset_migrate_start(client_, source_.address().c_str(), paths, 1, destination_.address().c_str(),
                                         there().c_str(), &options, &migration),
            GODWIT_OK);
  ASSERT_EQ(godwit_migration_wait(migration, 0), GODWIT_OK) << godwit_last_error();
  std::vector<std::string> planned;
  const auto each = [](const godwit_planned_file* file, void* context) {
    static_cast<std::vector<std::string>*>(context)->push_back(std::string(file->kind) + " " + file->path + " " +
                                                               std::to_string(file->bytes));
    return 0;
  };
  uint64_t total = 0;
  ASSERT_EQ(godwit_fileset_planned(migration, each, &planned, &total), GODWIT_OK) << godwit_last_error();
  EXPECT_EQ(total, 3U);
  EXPECT_EQ(planned, (std::vector<std::string>{"directory tree 0", "directory tree/sub 0", "file tree/sub/file 7"}));
  godwit_migration_close(migration);
  EXPECT_TRUE(fs::is_empty(there()));
}

TEST_F(Filesets, ArgumentsAreChecked) {
  EXPECT_EQ(migrate(nullptr, "relative"), GODWIT_ERR_INVALID);
  EXPECT_EQ(migrate(nullptr, here() + "/../here/tree"), GODWIT_ERR_INVALID);
  EXPECT_EQ(migrate(nullptr, "/etc/passwd"), GODWIT_ERR_DENIED);
  EXPECT_EQ(migrate(nullptr, here() + "/missing"), GODWIT_ERR_NOT_FOUND);
  godwit_fileset_options options = GODWIT_FILESET_OPTIONS_INIT;
  options.block_bytes = 1;
  EXPECT_EQ(migrate(&options), GODWIT_ERR_INVALID);
  options = GODWIT_FILESET_OPTIONS_INIT;
  options.rule_count = 1;
  EXPECT_EQ(migrate(&options), GODWIT_ERR_INVALID);
  const char* paths[] = {nullptr};
  EXPECT_EQ(godwit_fileset_migrate(client_, source_.address().c_str(), paths, 1, destination_.address().c_str(), "/", nullptr,
                                   nullptr, nullptr),
            GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_fileset_migrate(client_, source_.address().c_str(), nullptr, 1, destination_.address().c_str(), "/", nullptr,
                                   nullptr, nullptr),
            GODWIT_ERR_INVALID);
  EXPECT_EQ(godwit_fileset_migrate(client_, source_.address().c_str(), paths, 0, destination_.address().c_str(), "/", nullptr,
                                   nullptr, nullptr),
            GODWIT_ERR_INVALID);
}

}  // namespace
