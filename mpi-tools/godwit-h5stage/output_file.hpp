// OutputFile: a file that is there under its name when it is whole, and not before.
#pragma once

#include <string>
#include <string_view>

#include "godwit-h5stage/failure.hpp"

namespace godwit::h5stage {

// The name that the file has while it is written: beside it, always the same, so that the next run finds what a killed one
// left.
std::string temporary_name(const std::string& file);

// What a failed write of the temporary file means: NO_SPACE where its file system, or this user's share of it, is full; else
// the failure itself. MPI-IO does not tell. Any process that can reach it.
Failure why_not_written(const std::string& temporary, const Failure& failure);

// Of one process. Others may write to the temporary file meanwhile.
class OutputFile {
 public:
  // Begins it with these bytes; what an earlier run left is replaced. Throws Failure: EXISTS, the file is there, and `replace`
  // is false, or it is a directory; BUSY, another run writes it; DENIED, what is there under the temporary name is not an
  // earlier run's; IO, NO_SPACE.
  OutputFile(std::string file, std::string_view begin, bool replace);
  // Removes the temporary file, unless it was published.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  // Makes it durable, and gives it its name. Throws Failure: EXISTS, somebody else has made one, and `replace` was false; IO.
  void publish();

 private:
  void lock() const;

  const std::string file_, temporary_;
  const bool replace_;
  int descriptor_ = -1;
};

}  // namespace godwit::h5stage
