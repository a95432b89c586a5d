#include "godwit-h5stage/team.hpp"

#include <fmt/format.h>
#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <godwit/godwit.hpp>
#include <limits>
#include <new>
#include <optional>

#include "common/await.hpp"
#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {
namespace {

constexpr size_t kAtOnceMax = size_t{1} << 24;  // Numbers of one reduction.

std::optional<Failure> failure_of(const std::function<void()>& part) {
  try {
    part();
    return std::nullopt;
  } catch (const Failure& failure) {
    return failure;
  } catch (const godwit::Error& error) {
    return Failure(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return Failure(GODWIT_ERR_MEMORY, "there is no memory; a smaller --buffer takes less");
  } catch (const std::exception& error) {
    return Failure(GODWIT_ERR_INTERNAL, error.what());
  }
}

std::string told_by(int rank, std::string text) {
  uint64_t length = text.size();
  tools::quiet_bcast(&length, 1, MPI_UINT64_T, rank);
  if (length > static_cast<uint64_t>(std::numeric_limits<int>::max()))
    throw Failure(GODWIT_ERR_LIMIT, "the description of the stage has more than 2 GiB");
  text.resize(length);
  tools::quiet_bcast(text.data(), static_cast<int>(length), MPI_BYTE, rank);
  return text;
}

}  // namespace

Team::Team() {
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

void Team::together(const std::function<void()>& part) const {
  const std::optional<Failure> failure = failure_of(part);
  const int ours = failure ? rank_ : size_;
  int lowest = 0;
  MPI_Request request;
  MPI_Iallreduce(&ours, &lowest, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD, &request);
  tools::await(request);
  if (lowest == size_) return;
  int error = failure ? failure->error() : 0;
  tools::quiet_bcast(&error, 1, MPI_INT, lowest);
  throw Failure(error, told_by(lowest, failure ? failure->what() : ""));
}

void Team::at_first(const std::function<void()>& part) const {
  together([&] {
    if (is_first()) part();
  });
}

std::string Team::told(std::string text) const { return told_by(0, std::move(text)); }

void Team::sum(std::vector<uint64_t>& numbers) const {
  for (size_t begin = 0; begin < numbers.size(); begin += kAtOnceMax) {
    MPI_Request request;
    MPI_Iallreduce(MPI_IN_PLACE, numbers.data() + begin, static_cast<int>(std::min(kAtOnceMax, numbers.size() - begin)),
                   MPI_UINT64_T, MPI_SUM, MPI_COMM_WORLD, &request);
    tools::await(request);
  }
}

void end_all(int error, const std::string& why) {
  fmt::print(stderr, "godwit-h5stage: {}\n", why);
  std::fflush(nullptr);
  MPI_Abort(MPI_COMM_WORLD, godwit_error_exit_code(error));
  std::abort();
}

}  // namespace godwit::h5stage
