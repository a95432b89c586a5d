// Machine: the line that says where and under what load a figure was measured, and what processes used.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace godwit::bench {

// "AMD EPYC, 2 cores, Linux 6.1.0, load 0.3".
std::string machine_line();

// Seconds of processor time that the process has used, all its threads; 0 if there is no such process.
double processor_seconds(pid_t process);
// A line of /proc/PID/status in bytes ("VmHWM", "VmRSS"); 0 if it cannot be read.
uint64_t memory_bytes(pid_t process, const std::string& field);

}  // namespace godwit::bench
