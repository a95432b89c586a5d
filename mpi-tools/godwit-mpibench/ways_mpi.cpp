#include <mpi.h>

#include <algorithm>
#include <cstring>
#include <exception>

#include "godwit-mpibench/raw_child.hpp"
#include "godwit-mpibench/stopwatch.hpp"
#include "godwit-mpibench/ways.hpp"

namespace godwit::mpibench {
namespace {

constexpr int kData = 3, kAnswer = 4;

class MpiPut : public Way {
 public:
  // All ranks at once. One window for all: Open MPI 4.1 mixes up those that several pairs of a host make at the same time.
  explicit MpiPut(uint64_t bytes_max) {
    int rank = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    bytes_here_ = rank % 2 == 0 ? 0 : bytes_max;
    MPI_Win_allocate(static_cast<MPI_Aint>(bytes_here_), 1, MPI_INFO_NULL, MPI_COMM_WORLD, &memory_, &window_);
    MPI_Win_lock_all(0, window_);
  }
  ~MpiPut() override {
    if (std::uncaught_exceptions() > 0) return;  // The run ends, and the other rank would be waited for.
    MPI_Win_unlock_all(window_);
    MPI_Win_free(&window_);
  }
  MpiPut(const MpiPut&) = delete;
  MpiPut& operator=(const MpiPut&) = delete;

  std::string name() const override { return "MPI_Put"; }
  void prepare(const Team& team, const Load& load) override {
    partner_ = team.partner();
    if (bytes_here_ > 0) std::memset(memory_, 1, load.size_bytes);  // Touched.
    bytes_.assign(load.size_bytes, 2);
  }
  std::vector<double> run(const Load& load) override {
    const int size = static_cast<int>(load.size_bytes);
    auto seconds = time_calls(
        load, [&] { MPI_Put(bytes_.data(), size, MPI_BYTE, partner_, 0, size, MPI_BYTE, window_); },
        [&] { MPI_Win_flush(partner_, window_); });
    MPI_Send(nullptr, 0, MPI_BYTE, partner_, kAnswer, MPI_COMM_WORLD);
    return seconds;
  }
  // Inside MPI, which may have to help.
  void serve(const Load&) override { MPI_Recv(nullptr, 0, MPI_BYTE, partner_, kAnswer, MPI_COMM_WORLD, MPI_STATUS_IGNORE); }
  void finish(const Team&) override { bytes_ = {}; }

 private:
  uint64_t bytes_here_ = 0;
  int partner_ = 0;
  MPI_Win window_ = MPI_WIN_NULL;
  void* memory_ = nullptr;
  std::vector<char> bytes_;
};

class MpiSend : public Way {
 public:
  std::string name() const override { return "MPI_Send"; }
  void prepare(const Team& team, const Load& load) override {
    partner_ = team.partner();
    bytes_.assign(load.size_bytes, 2);
  }
  std::vector<double> run(const Load& load) override {
    auto seconds = time_calls(
        load, [&] { send(kData); }, [&] { load.is_each ? receive(kData) : receive_nothing(); });
    if (load.is_each)
      for (double& one : seconds) one /= 2;  // There and back.
    return seconds;
  }
  void serve(const Load& load) override {
    for (uint64_t i = 0; i < load.count; ++i) {
      receive(kData);
      if (load.is_each) send(kData);
    }
    if (!load.is_each) MPI_Send(nullptr, 0, MPI_BYTE, partner_, kAnswer, MPI_COMM_WORLD);
  }
  void finish(const Team&) override { bytes_ = {}; }

 private:
  void send(int tag) { MPI_Send(bytes_.data(), static_cast<int>(bytes_.size()), MPI_BYTE, partner_, tag, MPI_COMM_WORLD); }
  void receive(int tag) {
    MPI_Recv(bytes_.data(), static_cast<int>(bytes_.size()), MPI_BYTE, partner_, tag, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  }
  void receive_nothing() const { MPI_Recv(nullptr, 0, MPI_BYTE, partner_, kAnswer, MPI_COMM_WORLD, MPI_STATUS_IGNORE); }

  int partner_ = 0;
  std::vector<char> bytes_;
};

class Raw : public Way {
 public:
  Raw(const Options& options, bool is_read) : provider_(options.provider), host_(options.host), is_read_(is_read) {}

  std::string name() const override { return is_read_ ? "raw read" : "raw write"; }
  std::string ceiling() const override { return ""; }
  bool times_each() const override { return false; }
  void prepare(const Team&, const Load&) override {}
  std::vector<double> run(const Load& load) override {
    constexpr uint64_t kBlockBytes = 1 << 20;
    constexpr uint32_t kDepth = 8;
    RawLoop loop{provider_, host_, is_read_, std::min(load.size_bytes, kBlockBytes), 0, load.is_each ? 1 : kDepth};
    loop.operations = std::max<uint64_t>(1, load.size_bytes * load.count / loop.operation_bytes);
    return {run_raw_loop(loop)};
  }
  void finish(const Team&) override {}

 private:
  const std::string provider_, host_;
  const bool is_read_;
};

}  // namespace

void add_mpi_ways(uint64_t bytes_max, Ways& ways) {
  ways.push_back(std::make_unique<MpiPut>(bytes_max));
  ways.push_back(std::make_unique<MpiSend>());
}

void add_raw_ways(const Options& options, Ways& ways) {
  ways.push_back(std::make_unique<Raw>(options, false));
  ways.push_back(std::make_unique<Raw>(options, true));
}

}  // namespace godwit::mpibench
