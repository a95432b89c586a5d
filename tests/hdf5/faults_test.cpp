// What goes wrong with HDF5 files in regions: a clear error on HDF5's stack, and nothing lost that was flushed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "hdf5/hdf5_files.hpp"
#include "hdf5/layout.hpp"
#include "support/daemon.hpp"

namespace {

using namespace godwit::test;

// The example of docs/howto/hdf5.md, which appends a row for each line that it is sent.
class Writer {
 public:
  explicit Writer(const std::string& address) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(), "pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    std::string program = GODWIT_BIN_DIR "/hdf5_steps", where = address, target = "keep", name = "steps";
    char* argv[] = {program.data(), where.data(), target.data(), name.data(), nullptr};
    const int error = posix_spawn(&pid_, program.c_str(), &actions, nullptr, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = fdopen(out[0], "r");
    if (error != 0) throw std::system_error(error, std::generic_category(), program);
  }
  ~Writer() {
    kill();
    fclose(from_);
    ::close(to_);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // How many rows it says are flushed; -1: it has ended.
  int flushed() {
    int rows = -1;
    char line[64];
    return fgets(line, sizeof line, from_) != nullptr && sscanf(line, "flushed %d", &rows) == 1 ? rows : -1;
  }
  void append() { EXPECT_EQ(::write(to_, "\n", 1), 1); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int to_ = -1;
  FILE* from_ = nullptr;
};

TEST(Hdf5Crash, WhatWasFlushedIsThereAfterWriterAndDaemonWereKilled) {
  Daemon daemon;
  {
    Writer writer(daemon.address());
    constexpr int kRows = 300;  // 2.3 MiB: the file has grown over extents.
    ASSERT_EQ(writer.flushed(), 0);
    for (int row = 1; row <= kRows; ++row) {
      writer.append();
      ASSERT_EQ(writer.flushed(), row);
    }
    daemon.kill();
    writer.kill();
  }
  daemon.start();
  const Hid file(H5Fopen("steps", H5F_ACC_RDWR, fapl_for(daemon.address(), "keep")));
  const Hid dataset(H5Dopen2(file, "steps", H5P_DEFAULT)), space(H5Dget_space(dataset));
  hsize_t size[2] = {};
  ASSERT_EQ(H5Sget_simple_extent_dims(space, size, nullptr), 2);
  ASSERT_EQ(size[0], 300u);
  std::vector<double> values(size[0] * size[1]);
  ASSERT_GE(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0) << error_stack();
  size_t i = 0;
  for (int row = 0; row < 300; ++row)
    for (int column = 0; column < 1000; ++column, ++i)
      ASSERT_EQ(values[i], static_cast<double>(row) + static_cast<double>(column) / 1000) << i;
}

class Hdf5Faults : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    DaemonOptions options;
    options.targets = {{"keep", "pmem", "16MiB"}, {"small", "dram", "4MiB"}};
    daemon_ = std::make_unique<Daemon>(options);
  }
  static void TearDownTestSuite() { daemon_.reset(); }
  void TearDown() override {
    for (const auto& info : regions_of(*daemon_)) client().region(daemon_->address(), info.id).erase();
  }
  static godwit::Client client() { return godwit::Client(); }
  static std::string address() { return daemon_->address(); }
  static godwit::Target target(const char* name = "keep") { return client().target(address(), name); }
  static godwit::Region region(const std::string& name) { return client().region(address(), name); }
  static Hid fapl(const std::string& target = "keep") { return fapl_for(address(), target); }
  static void make(const char* name) {
    const Hid file(H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, fapl()));
    add_dataset(file, "values", numbers(400'000, 1));  // 3 MiB
  }
  static std::string extent_of(const char* name, size_t index) { return godwit::hdf5::extent_name(region(name).id(), index); }

  // What opening it says.
  static std::string error_of_opening(const char* name, unsigned flags = H5F_ACC_RDONLY) {
    const Hid list = fapl();
    const Hid file(H5Fopen(name, flags, list));
    return file.is_valid() ? "it was opened" : error_stack();
  }

  static inline std::unique_ptr<Daemon> daemon_;
  const Quiet quiet_;
};

#define EXPECT_SAYS(text, what) EXPECT_NE((text).find(what), std::string::npos) << (text)

TEST_F(Hdf5Faults, AFileThatIsNotThere) {
  EXPECT_SAYS(error_of_opening("nowhere"), "GODWIT_ERR_NOT_FOUND: HDF5 file 'nowhere' at " + address());
}

TEST_F(Hdf5Faults, ARegionThatIsNoFileIsNeitherOpenedNorReplacedNorErased) {
  const std::string text = "precious";
  target().create(text.data(), text.size(), "mine");
  target().create(godwit::hdf5::kHeadBytes, "zeros");
  for (const char* name : {"mine", "zeros"}) {
    EXPECT_SAYS(error_of_opening(name), "GODWIT_ERR_CORRUPT");
    EXPECT_SAYS(error_of_opening(name), "not the head of an HDF5 file");
    EXPECT_LT(H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, fapl()), 0);
    EXPECT_SAYS(error_stack(), "GODWIT_ERR_CORRUPT");
    godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
    const std::string where = address();
    config.address = where.c_str();
    EXPECT_LT(godwit_hdf5_erase(&config, name), 0);
    EXPECT_SAYS(error_stack(), "GODWIT_ERR_CORRUPT");
  }
  std::string still(text.size(), ' ');
  region("mine").read(0, still.data(), still.size());
  EXPECT_EQ(still, text);
}

TEST_F(Hdf5Faults, AnUnreadableHdf5File) {
  make("garbage");
  const std::vector<char> zeros(4096);
  region(extent_of("garbage", 0)).write(0, zeros.data(), zeros.size());
  EXPECT_SAYS(error_of_opening("garbage"), "file signature not found");
  EXPECT_TRUE(Hid(H5Fcreate("garbage", H5F_ACC_TRUNC, H5P_DEFAULT, fapl())).is_valid());  // But it can be replaced.
}

TEST_F(Hdf5Faults, AHeadThatWasWrittenInPartFallsBackToTheOneBefore) {
  make("torn");
  using Slots = std::span<const std::byte, godwit::hdf5::kHeadBytes>;
  const auto newest = [] {
    std::vector<std::byte> head(godwit::hdf5::kHeadBytes);
    region("torn").read(0, head.data(), head.size());
    return godwit::hdf5::decode(Slots(head.data(), head.size()));
  };
  {  // Another flush, which changes nothing but the file's size in the head.
    const Hid file(H5Fopen("torn", H5F_ACC_RDWR, fapl()));
    add_dataset(file, "more", numbers(10, 2));
  }
  const godwit::hdf5::Head before = newest();
  const std::vector<std::byte> rubbish(4096, std::byte{0x55});
  region("torn").write(godwit::hdf5::slot_offset(before.generation) + 4096, rubbish.data(), rubbish.size());
  EXPECT_EQ(newest().generation, before.generation - 1);
  EXPECT_EQ(error_of_opening("torn"), "it was opened");
  const Hid file(H5Fopen("torn", H5F_ACC_RDONLY, fapl()));
  EXPECT_EQ(read_dataset(file, "values"), numbers(400'000, 1));
  EXPECT_EQ(read_dataset(file, "more"), numbers(10, 2));
  region("torn").write(godwit::hdf5::slot_offset(before.generation + 1) + 4096, rubbish.data(), rubbish.size());
  const Hid closed(H5Freopen(file));
  EXPECT_SAYS(error_of_opening("torn"), "GODWIT_ERR_CORRUPT");
}

TEST_F(Hdf5Faults, ACopiedHeadIsRefused) {
  make("original");
  godwit::MigrateOptions options;
  options.copy = true;
  options.name = "copy";
  region("original").migrate(target("small"), options);
  EXPECT_SAYS(error_of_opening("copy"), "copy of the head of another HDF5 file");
  EXPECT_SAYS(error_of_opening("copy"), godwit::to_string(region("original").id()));
}

TEST_F(Hdf5Faults, AnExtentThatIsGoneIsNamed) {
  make("holed");
  const std::string id = godwit::to_string(region(extent_of("holed", 2)).id());
  region(extent_of("holed", 2)).erase();
  const Hid file(H5Fopen("holed", H5F_ACC_RDONLY, fapl()));
  EXPECT_TRUE(read_dataset(file, "values").empty());
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_NOT_FOUND: extent 2 of HDF5 file 'holed', region " + id);
}

TEST_F(Hdf5Faults, AFileThatHasMovedIsAnErrorOnlyForWhoDoesNotFollow) {
  Daemon other;
  make("away");
  {
    const Hid file(H5Fopen("away", H5F_ACC_RDONLY, fapl()));
    ASSERT_GE(godwit_hdf5_migrate(file, other.address().c_str(), "keep", nullptr), 0) << error_stack();
  }
  const Hid following(H5Fopen("away", H5F_ACC_RDONLY, fapl()));
  EXPECT_EQ(read_dataset(following, "values"), numbers(400'000, 1));
  EXPECT_LT(H5Fopen("away", H5F_ACC_RDWR, fapl_for(address(), "keep", false)), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_MOVED");
  EXPECT_SAYS(error_stack(), other.address());
}

TEST_F(Hdf5Faults, WhereThereIsNoSpaceTheFlushedFileStays) {
  Hid file(H5Fcreate("full", H5F_ACC_TRUNC, H5P_DEFAULT, fapl("small")));
  add_dataset(file, "fits", numbers(100'000, 1));
  ASSERT_GE(H5Fflush(file, H5F_SCOPE_GLOBAL), 0);
  {
    const Hid dataset = make_dataset(file, "too much", 1'000'000);
    EXPECT_LT(write_dataset(dataset, numbers(1'000'000, 2)), 0);
    EXPECT_SAYS(error_stack(), "GODWIT_ERR_NO_SPACE");
  }
  EXPECT_EQ(read_dataset(file, "fits"), numbers(100'000, 1));
  ASSERT_GE(H5Ldelete(file, "too much", H5P_DEFAULT), 0);
  ASSERT_GE(file.close(), 0) << error_stack();
  EXPECT_EQ(read_dataset(Hid(H5Fopen("full", H5F_ACC_RDONLY, fapl())), "fits"), numbers(100'000, 1));
  for (const char* name : {"nowhere", "full"}) {  // A file is not given up for one that cannot be made.
    EXPECT_LT(H5Fcreate(name, H5F_ACC_TRUNC, H5P_DEFAULT, fapl("no-such-target")), 0);
    EXPECT_SAYS(error_stack(), "no target 'no-such-target'");
  }
  EXPECT_LT(H5Fcreate("full", H5F_ACC_TRUNC, H5P_DEFAULT, fapl("")), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_INVALID");
  EXPECT_EQ(read_dataset(Hid(H5Fopen("full", H5F_ACC_RDONLY, fapl())), "fits"), numbers(100'000, 1));
}

TEST_F(Hdf5Faults, AFlushThatDoesNotReachTheMediumIsAnError) {
  Daemon daemon;
  {
    const Hid file(H5Fcreate("volatile", H5F_ACC_TRUNC, H5P_DEFAULT, fapl_for(daemon.address(), "keep")));
    add_dataset(file, "values", numbers(1000, 1));
  }
  daemon.terminate();
  daemon.set_environment({"GODWIT_FAIL=pmem.persist=EIO"});
  daemon.start();
  Hid file(H5Fopen("volatile", H5F_ACC_RDWR, fapl_for(daemon.address(), "keep")));
  {
    const Hid dataset(H5Dopen2(file, "values", H5P_DEFAULT));
    ASSERT_GE(write_dataset(dataset, numbers(1000, 2)), 0) << error_stack();
  }
  EXPECT_LT(H5Fflush(file, H5F_SCOPE_GLOBAL), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_PMEM");
  daemon.kill();
  daemon.set_environment({});
  daemon.start();
  EXPECT_GE(file.close(), 0) << error_stack();  // What failed is tried again.
}

TEST_F(Hdf5Faults, ADeadDaemonIsNamed) {
  Daemon daemon;
  const Hid list = fapl_for(daemon.address(), "keep");
  Hid file(H5Fcreate("orphan", H5F_ACC_TRUNC, H5P_DEFAULT, list));
  add_dataset(file, "values", numbers(400'000, 1));
  ASSERT_GE(H5Fflush(file, H5F_SCOPE_GLOBAL), 0);
  daemon.kill();
  EXPECT_TRUE(read_dataset(file, "values").empty());
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_");
  EXPECT_SAYS(error_stack(), daemon.address());
  EXPECT_LT(H5Fopen("another", H5F_ACC_RDONLY, list), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_UNREACHABLE");
  daemon.start();  // The open file goes on.
  EXPECT_EQ(read_dataset(file, "values"), numbers(400'000, 1));
  ASSERT_GE(file.close(), 0) << error_stack();
}

TEST_F(Hdf5Faults, MigrationsThatCannotBeAreRefusedAndTheFileStaysInUse) {
  make("stays");
  Hid file(H5Fopen("stays", H5F_ACC_RDWR, fapl()));
  const std::string where = address();
  godwit_migrate_options options = GODWIT_MIGRATE_OPTIONS_INIT;
  options.copy = 1;
  EXPECT_LT(godwit_hdf5_migrate(file, where.c_str(), "small", &options), 0);
  EXPECT_SAYS(error_stack(), "moved, not copied");
  options = GODWIT_MIGRATE_OPTIONS_INIT;
  options.name = "other";
  EXPECT_LT(godwit_hdf5_migrate(file, where.c_str(), "small", &options), 0);
  EXPECT_SAYS(error_stack(), "keeps its name");
  EXPECT_LT(godwit_hdf5_migrate(file, where.c_str(), nullptr, nullptr), 0);
  EXPECT_SAYS(error_stack(), "destination_target is NULL");
  EXPECT_LT(godwit_hdf5_migrate(file, where.c_str(), "no-such-target", nullptr), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_NOT_FOUND");
  target("small").create(3 << 20, "in the way");
  EXPECT_LT(godwit_hdf5_migrate(file, where.c_str(), "small", nullptr), 0);  // One of its extents has room there.
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_");
  EXPECT_EQ(read_dataset(file, "values"), numbers(400'000, 1));
  region("in the way").erase();
  EXPECT_LT(godwit_hdf5_migrate(file, where.c_str(), "small", nullptr), 0);  // Four extents and a head do not fit.
  add_dataset(file, "more", numbers(10, 3));
  EXPECT_GE(godwit_hdf5_migrate(file, where.c_str(), "keep", nullptr), 0) << error_stack();  // Back, what went.
  ASSERT_GE(file.close(), 0) << error_stack();
  const Hid again(H5Fopen("stays", H5F_ACC_RDONLY, fapl()));
  EXPECT_EQ(read_dataset(again, "values"), numbers(400'000, 1));
  EXPECT_EQ(read_dataset(again, "more"), numbers(10, 3));

  const TemporaryDirectory directory;
  const Hid on_disk(H5Fcreate((directory.path() + "/x.h5").c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
  EXPECT_LT(godwit_hdf5_migrate(on_disk, where.c_str(), "keep", nullptr), 0);
  EXPECT_SAYS(error_stack(), "another file driver");
  EXPECT_LT(godwit_hdf5_migrate(-1, where.c_str(), "keep", nullptr), 0);
  EXPECT_SAYS(error_stack(), "no open HDF5 file");
}

TEST_F(Hdf5Faults, ExportsAndImportsAreWholeOrNotThere) {
  const TemporaryDirectory directory;
  const std::string where = address(), taken = directory.path() + "/taken", text = directory.path() + "/text";
  for (const std::string& path : {taken, text}) std::ofstream(path) << "not HDF5";
  godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
  config.address = where.c_str();
  config.target = "small";
  make("source");
  EXPECT_LT(godwit_hdf5_export(&config, "source", taken.c_str()), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_EXISTS");
  EXPECT_LT(godwit_hdf5_export(&config, "source", (directory.path() + "/none/x.h5").c_str()), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_NOT_FOUND");
  region(extent_of("source", 1)).erase();
  EXPECT_LT(godwit_hdf5_export(&config, "source", (directory.path() + "/half.h5").c_str()), 0);
  EXPECT_SAYS(error_stack(), "extent 1");
  const std::filesystem::directory_iterator left(directory.path());
  EXPECT_EQ(std::distance(begin(left), end(left)), 2);

  EXPECT_LT(godwit_hdf5_import(&config, text.c_str(), "imported"), 0);
  EXPECT_SAYS(error_stack(), "is not an HDF5 file");
  const std::string large = directory.path() + "/large.h5";
  {
    const Hid file(H5Fcreate(large.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT));
    add_dataset(file, "values", numbers(1'000'000, 1));
  }
  const size_t before = regions_of(*daemon_).size();
  EXPECT_LT(godwit_hdf5_import(&config, large.c_str(), "imported"), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_NO_SPACE");
  EXPECT_EQ(regions_of(*daemon_).size(), before);
  EXPECT_LT(godwit_hdf5_import(&config, large.c_str(), "source"), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_EXISTS");
  EXPECT_LT(godwit_hdf5_import(&config, nullptr, "x"), 0);
  EXPECT_SAYS(error_stack(), "GODWIT_ERR_INVALID");
}

}  // namespace
