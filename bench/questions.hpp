// Questions: each is a file of this folder that measures, and adds records to the report. All throw godwit::Error or
// std::runtime_error when a measurement could not be made.
#pragma once

#include "bench/report.hpp"
#include "bench/settings.hpp"

namespace godwit::bench {

// raw.cpp: how fast can libfabric itself go here, by size, and by depth at 1 MiB?
void measure_raw(const Settings& settings, Report& report);
// migrate.cpp: how close to that does a migration come, by size and by kinds of target?
void measure_migrate(const Settings& settings, Report& report);
// io.cpp: what does one client thread reach, with small regions and with large ones?
void measure_io(const Settings& settings, Report& report);
// regions.cpp: how many small regions a second does one migration move?
void measure_regions(const Settings& settings, Report& report);
// files.cpp: how fast do files reach another node, beside that and beside the usual tools?
void measure_files(const Settings& settings, Report& report);
// databases.cpp: how fast do databases move, beside their bare files, and for how long do their writers wait?
void measure_databases(const Settings& settings, Report& report);
// compress.cpp: what does compression gain or cost, by what is moved?
void measure_compress(const Settings& settings, Report& report);
// resume.cpp: how many blocks does a job send again whose daemons were killed on its way?
void measure_resume(const Settings& settings, Report& report);
// steer.cpp: how soon does a job pause and go on, and how near does it come to its limits?
void measure_steer(const Settings& settings, Report& report);
// hdf5.cpp: how fast is a large HDF5 dataset written and read, beside HDF5's own driver on a file?
void measure_hdf5(const Settings& settings, Report& report);
// memory.cpp: how much memory does a daemon use beyond the regions it holds?
void measure_memory(const Settings& settings, Report& report);

}  // namespace godwit::bench
