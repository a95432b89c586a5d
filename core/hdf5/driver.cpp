#include "hdf5/driver.hpp"

#include <atomic>
#include <cstring>
#include <memory>
#include <utility>

#include "hdf5/boundary.hpp"

namespace godwit::hdf5 {
namespace {

// HDF5 keeps a pointer to the first part, and hands it to every call.
struct File : H5FD_t {
  File(Config from, RegionFile opened) : H5FD_t{}, config(std::move(from)), regions(std::move(opened)) {}

  const Config config;
  RegionFile regions;
  haddr_t end_of_allocation = 0;
};

File& file_of(H5FD_t* file) { return *static_cast<File*>(file); }
const File& file_of(const H5FD_t* file) { return *static_cast<const File*>(file); }

std::atomic<hid_t> driver_id{0};

herr_t terminate() {
  driver_id = 0;
  return 0;
}

void* copy_config(const void* fapl) {
  return at_hdf5_boundary<void*>({"fapl_copy", H5E_CANTCOPY}, nullptr,
                                 [&] { return new Config(*static_cast<const Config*>(fapl)); });
}
void* get_config(H5FD_t* file) { return copy_config(&file_of(file).config); }
herr_t free_config(void* fapl) {
  delete static_cast<Config*>(fapl);
  return 0;
}

RegionFile open_or_create(const Config& config, const char* name, unsigned flags) {
  if ((flags & H5F_ACC_CREAT) == 0) return RegionFile::open(config, name);
  const bool replace = (flags & H5F_ACC_TRUNC) != 0;
  return RegionFile::create(config, name, replace ? RegionFile::WhenThere::kReplace : RegionFile::WhenThere::kFail);
}

H5FD_t* open_file(const char* name, unsigned flags, hid_t fapl, haddr_t) {
  return at_hdf5_boundary<H5FD_t*>({"open", H5E_CANTOPENFILE}, nullptr, [&] {
    const Config& config = config_of(fapl);
    return new File(config, open_or_create(config, name, flags));
  });
}

// HDF5 has flushed it, or failed to and said so.
herr_t close_file(H5FD_t* file) {
  delete static_cast<File*>(file);
  return 0;
}

int compare_files(const H5FD_t* one, const H5FD_t* other) {
  const RegionId &a = file_of(one).regions.id(), &b = file_of(other).regions.id();
  if (a.high != b.high) return a.high < b.high ? -1 : 1;
  return a.low == b.low ? 0 : a.low < b.low ? -1 : 1;
}

// Small accesses cost a round trip each: HDF5 gathers what it can.
herr_t query(const H5FD_t*, unsigned long* flags) {
  if (flags != nullptr)
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
  return 0;
}

haddr_t get_eoa(const H5FD_t* file, H5FD_mem_t) { return file_of(file).end_of_allocation; }
herr_t set_eoa(H5FD_t* file, H5FD_mem_t, haddr_t address) {
  file_of(file).end_of_allocation = address;
  file_of(file).regions.announce(address);
  return 0;
}
haddr_t get_eof(const H5FD_t* file, H5FD_mem_t) { return file_of(file).regions.size_bytes(); }

herr_t get_handle(H5FD_t* file, hid_t, void** handle) {
  *handle = &file_of(file).regions;
  return 0;
}

herr_t read_file(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, void* data) {
  return at_hdf5_boundary<herr_t>({"read", H5E_READERROR}, -1, [&] {
    file_of(file).regions.read(address, data, size);
    return 0;
  });
}

herr_t write_file(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t address, size_t size, const void* data) {
  return at_hdf5_boundary<herr_t>({"write", H5E_WRITEERROR}, -1, [&] {
    file_of(file).regions.write(address, data, size);
    return 0;
  });
}

herr_t flush_file(H5FD_t* file, hid_t, hbool_t) {
  return at_hdf5_boundary<herr_t>({"flush", H5E_CANTFLUSH}, -1, [&] {
    file_of(file).regions.flush();
    return 0;
  });
}

// HDF5 truncates before each flush to what it has allocated.
herr_t truncate_file(H5FD_t* file, hid_t, hbool_t) {
  return at_hdf5_boundary<herr_t>({"truncate", H5E_SEEKERROR}, -1, [&] {
    file_of(file).regions.truncate(file_of(file).end_of_allocation);
    return 0;
  });
}

constexpr H5FD_class_t kDriver = {
    .name = "godwit",
    .maxaddr = kFileBytesMax,
    .fc_degree = H5F_CLOSE_WEAK,
    .terminate = terminate,
    .sb_size = nullptr,
    .sb_encode = nullptr,
    .sb_decode = nullptr,
    .fapl_size = sizeof(Config),
    .fapl_get = get_config,
    .fapl_copy = copy_config,
    .fapl_free = free_config,
    .dxpl_size = 0,
    .dxpl_copy = nullptr,
    .dxpl_free = nullptr,
    .open = open_file,
    .close = close_file,
    .cmp = compare_files,
    .query = query,
    .get_type_map = nullptr,
    .alloc = nullptr,
    .free = nullptr,
    .get_eoa = get_eoa,
    .set_eoa = set_eoa,
    .get_eof = get_eof,
    .get_handle = get_handle,
    .read = read_file,
    .write = write_file,
    .flush = flush_file,
    .truncate = truncate_file,
    .lock = nullptr,
    .unlock = nullptr,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

// HDF5 forgets its drivers when it is closed, and may be opened again.
hid_t registered_driver() {
  hid_t id = driver_id;
  if (id > 0 && H5Iget_type(id) == H5I_VFL) return id;
  id = H5FDregister(&kDriver);
  if (id >= 0) driver_id = id;
  return id;
}

// Closes a property list's id.
class PropertyList {
 public:
  explicit PropertyList(hid_t id) : id_(id) {}
  ~PropertyList() {
    if (id_ >= 0) H5Pclose(id_);
  }
  PropertyList(const PropertyList&) = delete;
  PropertyList& operator=(const PropertyList&) = delete;
  hid_t id() const { return id_; }

 private:
  hid_t id_;
};

}  // namespace

const Config& config_of(hid_t fapl) {
  const hid_t driver = H5Pget_driver(fapl);
  const void* config = driver >= 0 && driver == driver_id ? H5Pget_driver_info(fapl) : nullptr;
  if (config == nullptr) throw Error(GODWIT_ERR_INVALID, "this property list has another file driver than Godwit's");
  return *static_cast<const Config*>(config);
}

RegionFile& file_behind(hid_t file) {
  const PropertyList fapl(H5Fget_access_plist(file));
  void* handle = nullptr;
  if (fapl.id() < 0) throw Error(GODWIT_ERR_INVALID, "this is no open HDF5 file");
  config_of(fapl.id());
  if (H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) < 0) throw Error(GODWIT_ERR_INVALID, "this is no open HDF5 file");
  return *static_cast<RegionFile*>(handle);
}

}  // namespace godwit::hdf5

using namespace godwit::hdf5;

hid_t godwit_hdf5_driver(void) { return registered_driver(); }

herr_t H5Pset_fapl_godwit(hid_t fapl, const godwit_hdf5_config* config) {
  return at_hdf5_boundary<herr_t>({"H5Pset_fapl_godwit", H5E_CANTSET}, -1, [&] {
    const Config copy = Config::from(config);
    return H5Pset_driver(fapl, registered_driver(), &copy);
  });
}

herr_t H5Pget_fapl_godwit(hid_t fapl, godwit_hdf5_config* config) {
  return at_hdf5_boundary<herr_t>({"H5Pget_fapl_godwit", H5E_CANTGET}, -1, [&] {
    if (config == nullptr) throw godwit::Error(GODWIT_ERR_INVALID, "config is NULL");
    const Config& kept = config_of(fapl);
    *config = {kept.address.c_str(), kept.target.empty() ? nullptr : kept.target.c_str(), kept.client};
    return 0;
  });
}
