// What the tests of targets share: a directory that goes away, kinds of targets, bytes that tell themselves apart.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/fail_point.hpp"
#include "base/units.hpp"
#include "pmem/target.hpp"
#include "support/bytes.hpp"

namespace godwit::pmem {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "godwit-pmem-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    path_ = name;
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return (path_ / name).string(); }
  std::string path() const { return path_.string(); }
  size_t file_count() const {
    return static_cast<size_t>(
        std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

// Each way to be a target: they all keep the same contract.
enum class Variant { kDram, kDramPrefault, kPmem, kPmemCacheLine, kFile, kFileWithoutUring };

inline std::string variant_name(Variant variant) {
  switch (variant) {
    case Variant::kDram: return "Dram";
    case Variant::kDramPrefault: return "DramPrefault";
    case Variant::kPmem: return "Pmem";
    case Variant::kPmemCacheLine: return "PmemCacheLine";
    case Variant::kFile: return "File";
    case Variant::kFileWithoutUring: return "FileWithoutUring";
  }
  return "unknown";
}
inline void PrintTo(Variant variant, std::ostream* out) { *out << variant_name(variant); }

inline Kind kind_of(Variant variant) {
  switch (variant) {
    case Variant::kDram:
    case Variant::kDramPrefault: return Kind::kDram;
    case Variant::kPmem:
    case Variant::kPmemCacheLine: return Kind::kPmem;
    case Variant::kFile:
    case Variant::kFileWithoutUring: return Kind::kFile;
  }
  return Kind::kDram;
}

// Puts the process into the variant's world and out of it again.
class VariantScope {
 public:
  explicit VariantScope(Variant variant) {
    if (variant == Variant::kPmemCacheLine) setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
#if defined(GODWIT_FAIL_POINTS)
    if (variant == Variant::kFileWithoutUring) set_fail_point("pmem.uring", EPERM);
#endif
  }
  VariantScope(const VariantScope&) = delete;
  VariantScope& operator=(const VariantScope&) = delete;
  ~VariantScope() {
    unsetenv("PMEM2_FORCE_GRANULARITY");
#if defined(GODWIT_FAIL_POINTS)
    clear_fail_points();
#endif
  }
};

using test::random_bytes;

inline std::vector<char> slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void spew(const std::string& path, const std::vector<char>& bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class TargetTest : public testing::Test {
 protected:
#if defined(GODWIT_FAIL_POINTS)
  ~TargetTest() override { clear_fail_points(); }
#endif
  TargetSettings settings(Kind kind, uint64_t capacity_bytes) const {
    return {.name = "t0",
            .kind = kind,
            .path = kind == Kind::kDram ? "" : directory_.file("pool"),
            .capacity_bytes = capacity_bytes};
  }
  // Fails the test if it cannot be opened.
  std::unique_ptr<Target> open(const TargetSettings& wanted) {
    auto target = open_target(wanted);
    if (!target) {
      ADD_FAILURE() << target.error().text;
      return nullptr;
    }
    return *std::move(target);
  }
  std::unique_ptr<Target> open(Kind kind, uint64_t capacity_bytes) { return open(settings(kind, capacity_bytes)); }

  TempDirectory directory_;
};

class EachTargetTest : public TargetTest, public testing::WithParamInterface<Variant> {
 protected:
  std::unique_ptr<Target> open_variant(uint64_t capacity_bytes) {
    TargetSettings wanted = settings(kind_of(GetParam()), capacity_bytes);
    wanted.prefault = GetParam() == Variant::kDramPrefault;
    return open(wanted);
  }
  bool survives() const { return kind_of(GetParam()) != Kind::kDram; }

  const VariantScope scope_{GetParam()};
};

#define EXPECT_CODE(expression, expected)                                  \
  do {                                                                     \
    const auto outcome_ = (expression);                                    \
    if (outcome_) {                                                        \
      ADD_FAILURE() << #expression " succeeded";                           \
    } else {                                                               \
      EXPECT_EQ(outcome_.error().code, expected) << outcome_.error().text; \
    }                                                                      \
  } while (false)
#define ASSERT_DONE(expression)                                         \
  do {                                                                  \
    const auto outcome_ = (expression);                                 \
    ASSERT_TRUE(outcome_) << #expression ": " << outcome_.error().text; \
  } while (false)

}  // namespace godwit::pmem
