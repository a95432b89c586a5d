#include "godwit-h5stage/skeleton.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <godwit/godwit.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <unordered_set>

#include "godwit-h5stage/attributes.hpp"
#include "godwit-h5stage/dataset.hpp"
#include "godwit-h5stage/failure.hpp"
#include "godwit-h5stage/hid.hpp"

namespace godwit::h5stage {
namespace {

constexpr size_t kGrowBytes = size_t{1} << 20;

void check_file(const std::string& file) {
  const int opened = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0)
    throw Failure(errno == ENOENT ? GODWIT_ERR_NOT_FOUND : GODWIT_ERR_IO, fmt::format("{}: {}", file, std::strerror(errno)));
  close(opened);
  if (H5Fis_hdf5(file.c_str()) <= 0) throw Failure(GODWIT_ERR_CORRUPT, file + " is no HDF5 file");
}

Hid open_to_read(const std::string& file) {
  Hid opened(H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  if (opened >= 0) return opened;
  const std::string reason = hdf5_reason();
  const bool is_locked = reason.find("unable to lock file") != std::string::npos;
  throw Failure(is_locked ? GODWIT_ERR_BUSY : GODWIT_ERR_CORRUPT,
                fmt::format("cannot open {}{}: {}", file, is_locked ? ", which somebody is writing" : "", reason));
}

// One by one: the properties that HDF5 gives of a group have its links' number and heap in them, too, and a group that is made
// with them takes those for its own.
void copy_group_properties(hid_t group, hid_t how) {
  const Hid is = owned(H5Gget_create_plist(group), GODWIT_ERR_IO, "a group");
  unsigned one = 0, other = 0;
  if (H5Pget_link_creation_order(is, &one) >= 0) H5Pset_link_creation_order(how, one);
  if (H5Pget_attr_creation_order(is, &one) >= 0) H5Pset_attr_creation_order(how, one);
  if (H5Pget_link_phase_change(is, &one, &other) >= 0) H5Pset_link_phase_change(how, one, other);
  if (H5Pget_attr_phase_change(is, &one, &other) >= 0) H5Pset_attr_phase_change(how, one, other);
  if (H5Pget_est_link_info(is, &one, &other) >= 0) H5Pset_est_link_info(how, one, other);
}

Hid open_in_memory(const std::string& name, hid_t from) {
  const Hid access = owned(H5Pcreate(H5P_FILE_ACCESS), GODWIT_ERR_INTERNAL, "the skeleton");
  require(H5Pset_fapl_core(access, kGrowBytes, false), GODWIT_ERR_INTERNAL, "the skeleton");
  H5F_info2_t info{};
  require(H5Fget_info2(from, &info), GODWIT_ERR_IO, name);
  if (info.super.version >= 2)
    H5Pset_libver_bounds(access, info.super.version == 2 ? H5F_LIBVER_V18 : H5F_LIBVER_V110, H5F_LIBVER_LATEST);
  const Hid how = owned(H5Fget_create_plist(from), GODWIT_ERR_IO, name);
  // The root group's are the file's.
  copy_group_properties(owned(H5Gopen2(from, "/", H5P_DEFAULT), GODWIT_ERR_IO, name), how);
  return owned(H5Fcreate("skeleton", H5F_ACC_TRUNC, how, access), GODWIT_ERR_IO, "the skeleton of " + name);
}

struct LinkTo {
  std::string name;
  H5L_info_t info;
};

std::vector<LinkTo> links_of(hid_t group, const std::string& path) {
  std::vector<LinkTo> links;
  const auto take = [](hid_t, const char* name, const H5L_info_t* info, void* out) {
    static_cast<std::vector<LinkTo>*>(out)->push_back({name, *info});
    return herr_t{0};
  };
  // In the order that they were made in, if the file knows it.
  if (H5Literate(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, nullptr, take, &links) >= 0) return links;
  links.clear();
  require(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, nullptr, take, &links), GODWIT_ERR_IO, "the links of " + path);
  return links;
}

Hid like_link(const LinkTo& link) {
  Hid how = owned(H5Pcreate(H5P_LINK_CREATE), GODWIT_ERR_INTERNAL, "a link");
  H5Pset_char_encoding(how, link.info.cset);
  return how;
}

// Walks over the source, group by group, and makes the twins.
class Maker {
 public:
  Maker(const Source& source, hid_t from, hid_t to) : source_(source), from_(from), to_(to), twins_(to) {}

  std::vector<FullDataset> make() {
    const Hid from = owned(H5Gopen2(from_, "/", H5P_DEFAULT), GODWIT_ERR_IO, source_.file);
    const Hid to = owned(H5Gopen2(to_, "/", H5P_DEFAULT), GODWIT_ERR_INTERNAL, "the skeleton");
    note(from, to, "/");
    make_links(from, to, "/");
    for (size_t index = 0; index < source_.paths.size(); ++index)
      if (!found_[index])
        throw Failure(GODWIT_ERR_NOT_FOUND, fmt::format("{} has no dataset or group {}", source_.file, source_.paths[index]));
    // References in attributes lead to objects that are all there now.
    for (const Noted& one : noted_) {
      const Hid object = owned(H5Oopen_by_addr(from_, one.from), GODWIT_ERR_IO, one.path);
      const Hid twin = owned(H5Oopen_by_addr(to_, one.to), GODWIT_ERR_INTERNAL, one.path);
      copy_attributes(object, twin, one.path, twins_);
    }
    return std::move(datasets_);
  }

 private:
  struct Noted {
    haddr_t from, to;
    std::string path;
  };

  void note(hid_t from, hid_t to, const std::string& path) {
    twins_.add(from, to);
    noted_.push_back({Twins::address_of(from), Twins::address_of(to), path});
    mark_found(path);
  }

  void mark_found(const std::string& path) {
    if (const size_t index = named_by(source_, path); index < found_.size()) found_[index] = true;
  }

  void make_links(hid_t from, hid_t to, const std::string& path) {
    for (const LinkTo& link : links_of(from, path)) {
      const std::string below = (path == "/" ? path : path + "/") + link.name;
      const Take take = take_of(source_, below);
      if (take == Take::kNothing) continue;
      if (link.info.type == H5L_TYPE_HARD) {
        make_object(from, to, link, below, take);
        continue;
      }
      if (take == Take::kPassage || named_by(source_, below) < source_.paths.size())
        throw Failure(GODWIT_ERR_NOT_FOUND,
                      fmt::format("{} of {} is a soft or external link; name what it leads to", below, source_.file));
      make_other_link(from, to, link, below);
    }
  }

  void make_other_link(hid_t from, hid_t to, const LinkTo& link, const std::string& path) const {
    if (link.info.type != H5L_TYPE_SOFT && link.info.type != H5L_TYPE_EXTERNAL)
      throw Failure(GODWIT_ERR_UNSUPPORTED, fmt::format("link {} is of a kind that this program does not know", path));
    std::string value(link.info.u.val_size + 1, '\0');
    require(H5Lget_val(from, link.name.c_str(), value.data(), value.size(), H5P_DEFAULT), GODWIT_ERR_IO, "link " + path);
    const Hid how = like_link(link);
    if (link.info.type == H5L_TYPE_SOFT) {
      require(H5Lcreate_soft(value.c_str(), to, link.name.c_str(), how, H5P_DEFAULT), GODWIT_ERR_IO, "link " + path);
      return;
    }
    const char *file = nullptr, *object = nullptr;
    require(H5Lunpack_elink_val(value.data(), link.info.u.val_size, nullptr, &file, &object), GODWIT_ERR_IO, "link " + path);
    require(H5Lcreate_external(file, object, to, link.name.c_str(), how, H5P_DEFAULT), GODWIT_ERR_IO, "link " + path);
  }

  void make_object(hid_t from_group, hid_t to_group, const LinkTo& link, const std::string& path, Take take) {
    const Hid how = like_link(link);
    if (const haddr_t twin = twins_.of(link.info.u.address); twin != HADDR_UNDEF && !is_type_to_link(from_group, link)) {
      refuse_part(link.info.u.address, path);
      const Hid object = owned(H5Oopen_by_addr(to_, twin), GODWIT_ERR_IO, path);
      require(H5Olink(object, to_group, link.name.c_str(), how, H5P_DEFAULT), GODWIT_ERR_IO, path);
      mark_found(path);
      return;
    }
    const Hid from = owned(H5Oopen(from_group, link.name.c_str(), H5P_DEFAULT), GODWIT_ERR_IO, path);
    switch (H5Iget_type(from)) {
      case H5I_GROUP:
        if (take == Take::kPassage) passages_.insert(link.info.u.address);
        make_group(from, to_group, link, how, path);
        return;
      case H5I_DATASET: {
        if (take == Take::kPassage) return;
        EmptyTwin twin = make_twin(from, to_group, link.name, how, path, twins_);
        note(from, twin.dataset, path);
        if (twin.shape) datasets_.push_back({path, std::move(*twin.shape)});
        return;
      }
      case H5I_DATATYPE: {
        if (take == Take::kPassage) return;
        const Hid twin = twins_.type(from);
        require(H5Olink(twin, to_group, link.name.c_str(), how, H5P_DEFAULT), GODWIT_ERR_IO, path);
        note(from, twin, path);
        return;
      }
      default: throw Failure(GODWIT_ERR_UNSUPPORTED, fmt::format("{} is of a kind that this program does not know", path));
    }
  }

  // Of a group under its second name: what is wanted of it must have come under its first.
  void refuse_part(haddr_t group, const std::string& path) const {
    const bool is_wanted = std::ranges::any_of(
        source_.paths, [&](const std::string& wanted) { return wanted == path || wanted.starts_with(path + "/"); });
    if (is_wanted && (passages_.contains(group) || named_by(source_, path) == source_.paths.size()))
      throw Failure(
          GODWIT_ERR_UNSUPPORTED,
          fmt::format("{} of {} is a group that is also taken under another name; name what you want of it by one of them",
                      path, source_.file));
  }

  // A committed type that a dataset had brought, and that no link leads to yet: its attributes are still to come.
  bool is_type_to_link(hid_t group, const LinkTo& link) const {
    for (const Noted& one : noted_)
      if (one.from == link.info.u.address) return false;
    H5O_info_t info{};
    return H5Oget_info_by_name2(group, link.name.c_str(), &info, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
           info.type == H5O_TYPE_NAMED_DATATYPE;
  }

  void make_group(hid_t from, hid_t to_group, const LinkTo& link, hid_t how_linked, const std::string& path) {
    const Hid how = owned(H5Pcreate(H5P_GROUP_CREATE), GODWIT_ERR_INTERNAL, path);
    copy_group_properties(from, how);
    const Hid twin = owned(H5Gcreate2(to_group, link.name.c_str(), how_linked, how, H5P_DEFAULT), GODWIT_ERR_IO, path);
    note(from, twin, path);
    make_links(from, twin, path);
  }

  const Source& source_;
  const hid_t from_, to_;
  Twins twins_;
  std::vector<Noted> noted_;
  std::unordered_set<haddr_t> passages_;  // Groups that came with a part of what is in them.
  std::vector<bool> found_ = std::vector<bool>(source_.paths.size());
  std::vector<FullDataset> datasets_;
};

// What stands before the HDF5 file in its own file comes as it is. HDF5 leaves it out of an image.
void add_user_block(const std::string& file, hid_t from, std::string& image) {
  const Hid how = owned(H5Fget_create_plist(from), GODWIT_ERR_IO, file);
  hsize_t bytes = 0;
  if (H5Pget_userblock(how, &bytes) < 0 || bytes == 0) return;
  std::string block(bytes, '\0');
  if (!std::ifstream(file, std::ios::binary).read(block.data(), static_cast<std::streamsize>(bytes)))
    throw Failure(GODWIT_ERR_IO, "cannot read the user block of " + file);
  image.insert(0, block);
}

std::string image_of(hid_t skeleton) {
  require(H5Fflush(skeleton, H5F_SCOPE_GLOBAL), GODWIT_ERR_INTERNAL, "the skeleton");
  const ssize_t size = H5Fget_file_image(skeleton, nullptr, 0);
  if (size <= 0) throw Failure(GODWIT_ERR_INTERNAL, "the skeleton: " + hdf5_reason());
  std::string image(static_cast<size_t>(size), '\0');
  if (H5Fget_file_image(skeleton, image.data(), image.size()) != size)
    throw Failure(GODWIT_ERR_INTERNAL, "the skeleton: " + hdf5_reason());
  return image;
}

}  // namespace

Skeleton make_skeleton(const Source& source) {
  check_file(source.file);
  const Hid from = open_to_read(source.file);
  const Hid to = open_in_memory(source.file, from);
  Skeleton skeleton;
  skeleton.datasets = Maker(source, from, to).make();
  skeleton.image = image_of(to);
  add_user_block(source.file, from, skeleton.image);
  return skeleton;
}

}  // namespace godwit::h5stage
