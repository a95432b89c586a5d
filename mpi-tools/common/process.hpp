// Process: what a process of this machine has used, its own or another.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace godwit::tools {

// Seconds of processor time that the process has used, all its threads; 0 if there is no such process.
double processor_seconds(pid_t process);
// A line of /proc/PID/status in bytes ("VmHWM", "VmRSS"); 0 if it cannot be read.
uint64_t memory_bytes(pid_t process, const std::string& field);
// The calling thread may run on every processor again: mpirun binds its ranks, and what they start, to one. Async-signal-safe.
void use_all_processors();

}  // namespace godwit::tools
