// How fast does a code write and read a large HDF5 dataset in a region, beside HDF5's own driver on a file in memory?
#include <fmt/format.h>
#include <godwit/godwit_hdf5.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>

#include "base/units.hpp"
#include "bench/huge_buffer.hpp"
#include "bench/nodes.hpp"
#include "bench/questions.hpp"

namespace godwit::bench {
namespace {

hid_t good(hid_t id, const char* what) {
  if (id < 0) throw std::runtime_error(fmt::format("hdf5: {} failed; HDF5 has said why", what));
  return id;
}

// A new file with one contiguous dataset, flushed and closed.
void write_file(const std::string& name, hid_t fapl, const HugeBuffer& data, uint64_t bytes) {
  const hsize_t count = bytes / sizeof(double);
  const hid_t file = good(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, fapl), "H5Fcreate");
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t set = good(H5Dcreate2(file, "x", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), "H5Dcreate2");
  good(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data()), "H5Dwrite");
  H5Dclose(set);
  H5Sclose(space);
  good(H5Fflush(file, H5F_SCOPE_GLOBAL), "H5Fflush");
  good(H5Fclose(file), "H5Fclose");
}

void read_file(const std::string& name, hid_t fapl, HugeBuffer& data) {
  const hid_t file = good(H5Fopen(name.c_str(), H5F_ACC_RDONLY, fapl), "H5Fopen");
  const hid_t set = good(H5Dopen2(file, "x", H5P_DEFAULT), "H5Dopen2");
  good(H5Dread(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, data.data()), "H5Dread");
  H5Dclose(set);
  good(H5Fclose(file), "H5Fclose");
}

void measure_kind(const Settings& settings, Nodes& nodes, const std::string& kind, uint64_t bytes, Report& report) {
  const std::string on_disk = nodes.daemons()->directory() + "/sec2.h5";
  const std::string target = nodes.target(nodes.source(), kind).name();
  godwit_hdf5_config config = GODWIT_HDF5_CONFIG_INIT;
  config.address = nodes.source().c_str();
  config.target = target.c_str();
  const hid_t fapl = good(H5Pcreate(H5P_FILE_ACCESS), "H5Pcreate");
  good(H5Pset_fapl_godwit(fapl, &config), "H5Pset_fapl_godwit");
  HugeBuffer data(bytes), back(bytes);
  std::ranges::copy(random_bytes(bytes), data.data());

  Record write, read;
  for (Record* record : {&write, &read}) {
    const bool is_write = record == &write;
    record->name = is_write ? "HDF5 write" : "HDF5 read";
    record->provider = settings.provider;
    record->from = is_write ? "client" : kind;
    record->to = is_write ? kind : "client";
    record->bytes = record->raw_bytes = bytes;
    record->count = 1;
    record->raw_name = "HDF5's sec2 driver";
  }
  for (uint32_t repeat = 0; repeat < settings.repeat; ++repeat) {  // Each time new files: the growth is part of it.
    std::filesystem::remove(on_disk);
    if (repeat > 0) good(godwit_hdf5_erase(&config, "bench.h5"), "godwit_hdf5_erase");
    write.raw_seconds.push_back(seconds_of([&] { write_file(on_disk, H5P_DEFAULT, data, bytes); }));
    write.seconds.push_back(seconds_of([&] { write_file("bench.h5", fapl, data, bytes); }));
    read.raw_seconds.push_back(seconds_of([&] { read_file(on_disk, H5P_DEFAULT, back); }));
    read.seconds.push_back(seconds_of([&] { read_file("bench.h5", fapl, back); }));
  }
  if (std::memcmp(back.data(), data.data(), bytes) != 0) throw std::runtime_error("hdf5: other bytes came back");
  good(godwit_hdf5_erase(&config, "bench.h5"), "godwit_hdf5_erase");
  std::filesystem::remove(on_disk);
  H5Pclose(fapl);
  report.add(std::move(write));
  report.add(std::move(read));
}

}  // namespace

void measure_hdf5(const Settings& settings, Report& report) {
  uint64_t most = 0;
  for (const uint64_t size : settings.sizes_bytes) most = std::max(most, size);
  Nodes nodes(settings, most + most / 16 + 64_MiB, report);
  if (nodes.daemons() == nullptr) throw std::runtime_error("hdf5: takes daemons of its own; --from and --to are not for it");
  report.say(
      fmt::format("hdf5: one contiguous dataset in a new file, flushed and closed; beside it HDF5's sec2 driver below {}; "
                  "interleaved, median of {}",
                  nodes.daemons()->directory(), settings.repeat));
  for (const std::string& kind : settings.kinds)
    for (const uint64_t size : settings.sizes_bytes) measure_kind(settings, nodes, kind, size, report);
}

}  // namespace godwit::bench
