// HDF5's own kinds of use, through Godwit's file driver: made, reopened, moved, exported, and after crashes.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hdf5/hdf5_files.hpp"
#include "support/daemon.hpp"

namespace {

using namespace godwit::test;

constexpr uint64_t kMiB = uint64_t{1} << 20;

void append_rows(hid_t dataset, hsize_t from, hsize_t rows) {
  const hsize_t size[] = {from + rows, 50}, start[] = {from, 0}, count[] = {rows, 50};
  EXPECT_GE(H5Dset_extent(dataset, size), 0);
  const Hid there(H5Dget_space(dataset)), here(H5Screate_simple(2, count, nullptr));
  H5Sselect_hyperslab(there, H5S_SELECT_SET, start, nullptr, count, nullptr);
  std::vector<double> values(rows * 50);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(from * 50 + i) / 7.0;
  EXPECT_GE(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, here, there, H5P_DEFAULT, values.data()), 0) << error_stack();
}

// What such files have: chunks, compression, extension over several flushes, attributes, strings, many groups, links.
void write_all_kinds(hid_t file) {
  const hsize_t none[] = {0, 50}, most[] = {H5S_UNLIMITED, 50}, chunk[] = {64, 50};
  const Hid space(H5Screate_simple(2, none, most)), how(H5Pcreate(H5P_DATASET_CREATE));
  H5Pset_chunk(how, 2, chunk);
  for (const char* name : {"chunked", "compressed"}) {
    if (std::string(name) == "compressed") {
      H5Pset_shuffle(how);
      H5Pset_deflate(how, 6);
    }
    const Hid set(H5Dcreate2(file, name, H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, how, H5P_DEFAULT));
    for (hsize_t rows = 0; rows < 6000; rows += 1500) {
      append_rows(set, rows, 1500);
      EXPECT_GE(H5Fflush(file, H5F_SCOPE_LOCAL), 0) << error_stack();
    }
  }
  add_dataset(file, "contiguous", numbers(700'000, 1));  // 5.3 MiB, of several extents.
  for (int i = 0; i < 300; ++i) {
    const std::string name = "group" + std::to_string(i);
    const Hid group(H5Gcreate2(file, name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    const Hid scalar(H5Screate(H5S_SCALAR));
    const Hid attribute(H5Acreate2(group, "step", H5T_NATIVE_INT, scalar, H5P_DEFAULT, H5P_DEFAULT));
    EXPECT_GE(H5Awrite(attribute, H5T_NATIVE_INT, &i), 0);
    add_dataset(group, "values", numbers(10, i));
  }
  EXPECT_GE(H5Lcreate_soft("/group7/values", file, "soft", H5P_DEFAULT, H5P_DEFAULT), 0);
  EXPECT_GE(H5Lcreate_hard(file, "chunked", file, "hard", H5P_DEFAULT, H5P_DEFAULT), 0);
  EXPECT_GE(H5Ldelete(file, "group9", H5P_DEFAULT), 0);
}

// The exit status of h5diff, which finds every difference of structure and content.
int h5diff(const std::string& one, const std::string& other) {
  return std::system(("h5diff '" + one + "' '" + other + "'").c_str());
}

class Hdf5Driver : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    DaemonOptions options;
    options.targets = {{"fast", "dram", "256MiB"}, {"keep", "pmem", "64MiB"}};
    a_ = std::make_unique<Daemon>(options);
    b_ = std::make_unique<Daemon>(options);
  }
  static void TearDownTestSuite() {
    a_.reset();
    b_.reset();
  }
  void TearDown() override {
    for (Daemon* daemon : {a_.get(), b_.get()}) EXPECT_EQ(regions_of(*daemon).size(), 0u) << "a test left regions";
  }
  static Hid fapl(const std::string& target = "keep") { return fapl_for(a_->address(), target); }
  static Hid create(const char* name, const std::string& target = "keep") {
    Hid file(H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, fapl(target)));
    EXPECT_TRUE(file.is_valid()) << error_stack();
    return file;
  }
  static Hid open(const char* name, const Daemon& daemon = *a_, unsigned flags = H5F_ACC_RDONLY) {
    Hid file(H5Fopen(name, flags, fapl_for(daemon.address(), "keep")));
    EXPECT_TRUE(file.is_valid()) << error_stack();
    return file;
  }
  static void erase(const char* name, const Daemon& daemon = *a_) {
    godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
    config.address = daemon.address().c_str();
    EXPECT_GE(godwit_hdf5_erase(&config, name), 0) << error_stack();
  }
  static herr_t export_to(const std::string& path, const char* name, const Daemon& daemon = *a_) {
    godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
    config.address = daemon.address().c_str();
    return godwit_hdf5_export(&config, name, path.c_str());
  }

  static inline std::unique_ptr<Daemon> a_, b_;
  const TemporaryDirectory directory_;
};

TEST_F(Hdf5Driver, AnyKindOfFileIsTheSameAsOnADisk) {
  const std::string on_disk = directory_.path() + "/disk.h5";
  {
    const Hid file(H5Fcreate(on_disk.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    write_all_kinds(file);
  }
  for (const char* target : {"fast", "keep"}) {
    Hid file = create("kinds", target);
    write_all_kinds(file);
    ASSERT_GE(file.close(), 0) << error_stack();
    const std::string exported = directory_.path() + "/" + target + ".h5";
    ASSERT_GE(export_to(exported, "kinds"), 0) << error_stack();
    EXPECT_EQ(h5diff(on_disk, exported), 0);
    EXPECT_EQ(std::filesystem::file_size(exported), std::filesystem::file_size(on_disk));
    EXPECT_EQ(std::system(("h5dump -H '" + exported + "' | grep -q 'DATASET \"compressed\"'").c_str()), 0);
    erase("kinds");
  }
}

TEST_F(Hdf5Driver, AReopenedFileCanBeReadAndExtended) {
  create("run");
  {
    const Hid file = open("run", *a_, H5F_ACC_RDWR);
    write_all_kinds(file);
  }
  {
    const Hid file = open("run", *a_, H5F_ACC_RDWR);
    const Hid set(H5Dopen2(file, "compressed", H5P_DEFAULT));
    append_rows(set, 6000, 1000);
  }
  const Hid file = open("run");
  const Hid set(H5Dopen2(file, "compressed", H5P_DEFAULT));
  std::vector<double> values(size_t{7000} * 50);
  ASSERT_GE(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0) << error_stack();
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<double>(i) / 7.0) << i;
  EXPECT_EQ(read_dataset(file, "contiguous"), numbers(700'000, 1));
  EXPECT_EQ(read_dataset(file, "soft"), numbers(10, 7));
  EXPECT_EQ(read_dataset(file, "group299/values"), numbers(10, 299));
  EXPECT_EQ(H5Lexists(file, "group9", H5P_DEFAULT), 0);
  EXPECT_GE(H5Fclose(H5Freopen(file)), 0);
  const Hid second = open("run");  // Both are the same file.
  EXPECT_EQ(read_dataset(second, "soft"), numbers(10, 7));
  erase("run");
}

TEST_F(Hdf5Driver, AnOpenFileMovesBetweenFlushesAndSurvivesItsOldNode) {
  DaemonOptions options;
  options.targets = {{"fast", "dram", "64MiB"}};
  Daemon mortal(options);
  Hid file(H5Fcreate("moving", H5F_ACC_TRUNC, H5P_DEFAULT, fapl_for(mortal.address(), "fast")));
  add_dataset(file, "before", numbers(300'000, 1));
  ASSERT_GE(godwit_hdf5_migrate(file, b_->address().c_str(), "keep", nullptr), 0) << error_stack();
  EXPECT_EQ(regions_of(mortal).size(), 0u);
  mortal.kill();
  add_dataset(file, "after", numbers(300'000, 2));
  EXPECT_EQ(read_dataset(file, "before"), numbers(300'000, 1));
  ASSERT_GE(file.close(), 0) << error_stack();
  {
    const Hid there = open("moving", *b_);
    EXPECT_EQ(read_dataset(there, "before"), numbers(300'000, 1));
    EXPECT_EQ(read_dataset(there, "after"), numbers(300'000, 2));
  }
  const std::string exported = directory_.path() + "/moved.h5";
  ASSERT_GE(export_to(exported, "moving", *b_), 0) << error_stack();
  EXPECT_EQ(std::system(("h5dump -d before -s 299999 -c 1 '" + exported + "' >'" + directory_.path() + "/dump'").c_str()), 0);
  erase("moving", *b_);
}

// As `godwit migrate region --all` does.
void move_all_regions(const Daemon& from, const Daemon& to) {
  const godwit::Client client;
  std::vector<godwit::RegionId> ids;
  for (const auto& info : client.regions(from.address())) ids.push_back(info.id);
  for (const auto& result : client.migrate(from.address(), ids, client.target(to.address(), "keep")))
    EXPECT_EQ(result.error, 0);
}

TEST_F(Hdf5Driver, AnOldHandleFollowsWhenANodeIsDrained) {
  Hid file = create("drained", "fast");
  add_dataset(file, "before", numbers(300'000, 1));
  ASSERT_GE(H5Fflush(file, H5F_SCOPE_GLOBAL), 0);
  move_all_regions(*a_, *b_);
  EXPECT_EQ(read_dataset(file, "before"), numbers(300'000, 1));
  add_dataset(file, "after", numbers(300'000, 2));  // Grows where the file is now.
  ASSERT_GE(file.close(), 0) << error_stack();
  EXPECT_EQ(regions_of(*a_).size(), 0u);
  for (const Daemon* daemon : {a_.get(), b_.get()}) {  // The old node tells where it went.
    const Hid again = open("drained", *daemon);
    EXPECT_EQ(read_dataset(again, "before"), numbers(300'000, 1));
    EXPECT_EQ(read_dataset(again, "after"), numbers(300'000, 2));
  }
  erase("drained");
}

TEST_F(Hdf5Driver, AMigrationThatDidNotTakeAllIsRepeated) {
  Hid file = create("half");
  add_dataset(file, "values", numbers(300'000, 1));
  ASSERT_GE(H5Fflush(file, H5F_SCOPE_GLOBAL), 0);
  const godwit::Client client;
  for (const auto& info : client.regions(a_->address()))
    if (std::string(info.name).ends_with(".1"))
      client.region(a_->address(), info.id).migrate(client.target(b_->address(), "fast"));
  EXPECT_EQ(read_dataset(open("half"), "values"), numbers(300'000, 1));  // Found by following it.
  ASSERT_GE(godwit_hdf5_migrate(file, b_->address().c_str(), "keep", nullptr), 0) << error_stack();
  ASSERT_GE(godwit_hdf5_migrate(file, b_->address().c_str(), "keep", nullptr), 0) << error_stack();  // Nothing to do.
  for (const auto& info : regions_of(*b_)) EXPECT_STREQ(info.target, "keep");
  EXPECT_EQ(regions_of(*a_).size(), 0u);
  file.close();
  EXPECT_EQ(read_dataset(open("half", *b_), "values"), numbers(300'000, 1));
  erase("half", *b_);
}

TEST_F(Hdf5Driver, WhatWasNeverWrittenReadsAsZerosAndTakesNoSpace) {
  constexpr hsize_t kCount = 300 * kMiB / 8;
  Hid file = create("sparse", "fast");
  {
    const Hid set = make_dataset(file, "sparse", kCount);
    for (const hsize_t at : {hsize_t{0}, kCount - 1}) {
      const hsize_t one = 1;
      const int64_t value = 42;
      const Hid there(H5Dget_space(set)), here(H5Screate_simple(1, &one, nullptr));
      H5Sselect_elements(there, H5S_SELECT_SET, 1, &at);
      ASSERT_GE(H5Dwrite(set, H5T_NATIVE_INT64, here, there, H5P_DEFAULT, &value), 0) << error_stack();
    }
  }
  ASSERT_GE(file.close(), 0);
  EXPECT_LE(used_bytes(*a_, "fast"), 10 * kMiB);  // The first extent, and the last, of 8 MiB.
  {
    const Hid again = open("sparse");
    const std::vector<int64_t> values = read_dataset(again, "sparse");
    ASSERT_EQ(values.size(), kCount);
    EXPECT_EQ(values.front(), 42);
    EXPECT_EQ(values.back(), 42);
    EXPECT_EQ(std::count(values.begin(), values.end(), 0), static_cast<ptrdiff_t>(kCount - 2));
  }
  const std::string exported = directory_.path() + "/sparse.h5";
  ASSERT_GE(export_to(exported, "sparse"), 0) << error_stack();
  struct stat status {};
  ASSERT_EQ(stat(exported.c_str(), &status), 0);
  EXPECT_GT(static_cast<uint64_t>(status.st_size), 300 * kMiB);
  EXPECT_LE(static_cast<uint64_t>(status.st_blocks) * 512, 10 * kMiB);
  erase("sparse");
}

TEST_F(Hdf5Driver, WhatIsDeletedAtTheEndGivesItsSpaceBack) {
  Hid file = create("shrinks", "fast");
  add_dataset(file, "stays", numbers(1000, 1));
  add_dataset(file, "goes", numbers(4'000'000, 2));  // 30 MiB
  ASSERT_GE(H5Fflush(file, H5F_SCOPE_GLOBAL), 0);
  EXPECT_GE(used_bytes(*a_, "fast"), 30 * kMiB);
  ASSERT_GE(H5Ldelete(file, "goes", H5P_DEFAULT), 0);
  ASSERT_GE(file.close(), 0) << error_stack();
  EXPECT_LE(used_bytes(*a_, "fast"), 2 * kMiB);
  EXPECT_EQ(read_dataset(open("shrinks"), "stays"), numbers(1000, 1));
  erase("shrinks");
}

TEST_F(Hdf5Driver, AFileMadeAnewReplacesTheOldOneUnlessThatIsForbidden) {
  add_dataset(create("again"), "old", numbers(400'000, 1));
  {
    const Quiet quiet;
    EXPECT_LT(H5Fcreate("again", H5F_ACC_EXCL, H5P_DEFAULT, fapl()), 0);
    EXPECT_NE(error_stack().find("GODWIT_ERR_EXISTS"), std::string::npos) << error_stack();
  }
  EXPECT_EQ(read_dataset(open("again"), "old"), numbers(400'000, 1));
  add_dataset(create("again", "fast"), "new", numbers(10, 2));
  EXPECT_EQ(used_bytes(*a_, "keep"), 0u);
  const Hid file = open("again");
  EXPECT_EQ(H5Lexists(file, "old", H5P_DEFAULT), 0);
  EXPECT_EQ(read_dataset(file, "new"), numbers(10, 2));
  erase("again");
}

TEST_F(Hdf5Driver, AnImportedFileComesBackByteForByte) {
  const std::string in = directory_.path() + "/in.h5", out = directory_.path() + "/out.h5";
  {
    const Hid file(H5Fcreate(in.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    write_all_kinds(file);
  }
  godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
  config.address = a_->address().c_str();
  config.target = "keep";
  ASSERT_GE(godwit_hdf5_import(&config, in.c_str(), "imported"), 0) << error_stack();
  EXPECT_EQ(read_dataset(open("imported"), "group299/values"), numbers(10, 299));
  ASSERT_GE(godwit_hdf5_export(&config, "imported", out.c_str()), 0) << error_stack();
  EXPECT_EQ(std::system(("cmp '" + in + "' '" + out + "'").c_str()), 0);
  erase("imported");
}

TEST_F(Hdf5Driver, PropertyListsTellTheirConfig) {
  const Hid list = fapl("fast"), copy(H5Pcopy(list)), other(H5Pcreate(H5P_FILE_ACCESS));
  godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
  ASSERT_GE(H5Pget_fapl_godwit(copy, &config), 0);
  EXPECT_EQ(config.address, a_->address());
  EXPECT_STREQ(config.target, "fast");
  EXPECT_EQ(H5Pget_driver(copy), godwit_hdf5_driver());
  Hid file = create("config", "fast");
  const Hid of_file(H5Fget_access_plist(file));
  ASSERT_GE(H5Pget_fapl_godwit(of_file, &config), 0);
  EXPECT_EQ(config.address, a_->address());
  file.close();
  erase("config");
  const Quiet quiet;
  EXPECT_LT(H5Pget_fapl_godwit(other, &config), 0);
  EXPECT_NE(error_stack().find("GODWIT_ERR_INVALID"), std::string::npos);
  EXPECT_LT(H5Pset_fapl_godwit(other, nullptr), 0);
  godwit_hdf5_config empty = GODWIT_HDF5_CONFIG_INIT;
  EXPECT_LT(H5Pset_fapl_godwit(other, &empty), 0);
  EXPECT_NE(error_stack().find("no address"), std::string::npos);
}

}  // namespace
