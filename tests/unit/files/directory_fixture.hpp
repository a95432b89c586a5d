// A directory of its own for each test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "objects/files/beneath.hpp"

namespace godwit::objects {

class DirectoryTest : public testing::Test {
 protected:
  explicit DirectoryTest(std::filesystem::path where = std::filesystem::temp_directory_path()) : where_(std::move(where)) {}
  void SetUp() override {
    std::string pattern = where_ / "godwit-files-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
    std::filesystem::create_directory(path_ / "root");
    fd_ = UniqueFd(open((path_ / "root").c_str(), O_RDONLY | O_DIRECTORY));
    ASSERT_TRUE(fd_);
  }
  void TearDown() override { std::filesystem::remove_all(path_); }

  std::filesystem::path root() const { return path_ / "root"; }
  void write(const std::filesystem::path& path, const std::string& text) const {
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  const std::filesystem::path where_;
  std::filesystem::path path_;
  UniqueFd fd_;  // Of root().
};

}  // namespace godwit::objects
