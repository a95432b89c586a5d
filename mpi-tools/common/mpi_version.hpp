// MpiVersion: which MPI a program runs with, for its report.
#pragma once

#include <mpi.h>

#include <string>

namespace godwit::tools {

// "Open MPI v4.1.4". Any thread.
inline std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string whole(text, static_cast<size_t>(length));
  return whole.substr(0, whole.find_first_of(",\n"));
}

}  // namespace godwit::tools
