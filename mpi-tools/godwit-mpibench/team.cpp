#include "godwit-mpibench/team.hpp"

#include <exception>

#include "common/await.hpp"

namespace godwit::mpibench {
namespace {

constexpr int kFinished = 1;

}  // namespace

Team::Team(int pairs) : pairs_(pairs) {
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_split(MPI_COMM_WORLD, rank_ < 2 * pairs ? 0 : MPI_UNDEFINED, rank_, &members_);
}

Team::~Team() {
  // While an error ends the run the others would be waited for.
  if (members_ != MPI_COMM_NULL && std::uncaught_exceptions() == 0) MPI_Comm_free(&members_);
}

void Team::start() const { MPI_Barrier(members_); }

double Team::greatest(double value) const {
  double most = value;
  MPI_Request request;
  MPI_Iallreduce(&value, &most, 1, MPI_DOUBLE, MPI_MAX, members_, &request);
  tools::await(request);
  return most;
}

void Team::finished() const {
  if (is_first()) {
    MPI_Send(nullptr, 0, MPI_BYTE, partner(), kFinished, MPI_COMM_WORLD);
    return;
  }
  MPI_Request request;
  MPI_Irecv(nullptr, 0, MPI_BYTE, partner(), kFinished, MPI_COMM_WORLD, &request);
  tools::await(request);
}

}  // namespace godwit::mpibench
