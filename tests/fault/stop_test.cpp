// Daemons that are told to end while a job of theirs begins a pass: they end at once, and the job goes on after the restart.
#include <signal.h>

#include <filesystem>
#include <thread>

#include "resuming_databases.hpp"

namespace {

using namespace godwit::test;

class StopWhileAPassBegins : public ResumingDatabase {
 protected:
  void let_pause(Daemon& daemon, const std::string& point) {
    daemon.terminate();
    daemon.set_environment({"GODWIT_FAIL=" + point + "=PAUSE@1", "GODWIT_FAIL_PAUSES=" + pauses_.path()});
    daemon.start();
  }
  bool is_at(const std::string& point) const { return std::filesystem::exists(pauses_.path() + "/" + point); }

  // It hears of its end at the point, and goes on from there when everything else in it has been told.
  void stop_at(Daemon& daemon, const std::string& point) {
    ASSERT_TRUE(comes_true([&] { return is_at(point); })) << source_->log() << destination_->log();
    // What follows takes minutes, unless somebody stops it.
    godwit::Client().migration(source_->address(), job_).limit(64 * 1024);
    ASSERT_EQ(::kill(daemon.pid(), SIGTERM), 0);
    ASSERT_TRUE(comes_true([&] { return daemon.log().find("SIGTERM: stopping") != std::string::npos; })) << daemon.log();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    std::filesystem::remove(pauses_.path() + "/" + point);
    ASSERT_EQ(daemon.terminate(), 0) << daemon.log();
    daemon.set_environment({});
    daemon.start();
  }

  const TemporaryDirectory pauses_;
};

// What changes while the first pass is under way is the next one's.
TEST_P(StopWhileAPassBegins, AtTheDestination) {
  let_pause(*destination_, "destination.begin-pass");
  begin();
  put(kKeys, kKeys, 0);
  hurry();
  stop_at(*destination_, "destination.begin-pass");
  hurry();
  expect_done();
}

TEST_P(StopWhileAPassBegins, AtTheSource) {
  put_all();
  let_pause(*source_, "source.begin-pass");
  start_job(0);
  stop_at(*source_, "source.begin-pass");
  hurry();
  expect_done();
}

INSTANTIATE_TEST_SUITE_P(Each, StopWhileAPassBegins, testing::Values("rocksdb"), backend_of);

}  // namespace
