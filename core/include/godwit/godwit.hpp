// godwit.hpp: thin C++17 RAII over godwit.h. Everything is inline; the only library is libgodwit.
//
// A failure is thrown as godwit::Error. Handles are moved, not copied; they may be used by many threads at once. They keep
// their client alive, so they may be destroyed in any order.
//
//   godwit::Client client;
//   godwit::Target fast = client.target("tcp://10.0.0.1:7411", "fast");
//   godwit::Target keep = client.target("tcp://10.0.0.2:7411", "keep");
//   godwit::Region region = fast.create(data, size, "field");
//   godwit::Region moved = fast.migrate(region, keep);
#ifndef GODWIT_HPP
#define GODWIT_HPP

#include <godwit/godwit.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace godwit {
inline namespace api {  // So that these names are never taken for those inside the library.

using ClientOptions = godwit_client_options;
using FilesetOptions = godwit_fileset_options;
using JobInfo = godwit_job_info;
using Member = godwit_member;
using Place = godwit_place;
using MigrateResult = godwit_migrate_result;
using Progress = godwit_progress;
using RegionId = godwit_region_id;
using RegionInfo = godwit_region_info;
using TargetInfo = godwit_target_info;

// What failed, on which node, on which object: what() says it, code() is one of GODWIT_ERR_*.
class Error : public std::runtime_error {
 public:
  Error(int code, const std::string& text) : std::runtime_error(text), code_(code) {}
  int code() const noexcept { return code_; }
  const char* name() const noexcept { return godwit_error_name(code_); }
  const char* remedy() const noexcept { return godwit_error_remedy(code_); }

 private:
  int code_;
};

inline std::string to_string(RegionId id) {
  char text[33];
  godwit_region_id_format(id, text);
  return text;
}

struct MigrateOptions {
  bool copy = false;         // Keep the source; the copy gets a new id.
  uint64_t block_bytes = 0;  // 0: the default.
  uint32_t streams = 0;      // 0: as the source's daemon is configured.
  std::string name;          // Of one region at its destination; empty keeps it.
  uint64_t bandwidth = 0;    // Bytes a second; 0: no limit.
  int compression = GODWIT_COMPRESSION_NONE;
  bool verify = false;  // The destination reads back from its target what it stored, before the cutover.
  int priority = GODWIT_PRIORITY_NORMAL;
  std::string time_window;  // "22:00-06:00", local time of the source; empty: any time.
  bool approval = false;    // When all has arrived it waits for approve() before its cutover.
  // Writers that are stopped for longer, before the cutover is decided, end the job; 0: no limit.
  uint64_t max_downtime_ms = 0;
  // Called by the thread that waits; false cancels the migration. What it throws cancels too, and is thrown on.
  std::function<bool(const Progress&)> progress;
};

namespace detail {

inline void check(int error) {
  if (error != GODWIT_OK) throw Error(error, godwit_last_error());
}

inline const char* text_or_null(const std::string& text) { return text.empty() ? nullptr : text.c_str(); }

struct Close {
  void operator()(godwit_client* client) const { godwit_client_close(client); }
  void operator()(godwit_target* target) const { godwit_target_close(target); }
  void operator()(godwit_region* region) const { godwit_region_close(region); }
  void operator()(godwit_migration* migration) const { godwit_migration_close(migration); }
};
template <class T>
using Handle = std::unique_ptr<T, Close>;

struct Free {
  void operator()(void* memory) const { godwit_free(memory); }
};

// The elements of an array that the library allocated, which is freed.
template <class T>
std::vector<T> take(T* elements, size_t count) {
  const std::unique_ptr<T, Free> owner(elements);
  return std::vector<T>(elements, elements + count);
}

inline std::string take(char* text) {
  const std::unique_ptr<char, Free> owner(text);
  return text;
}

// MigrateOptions for C. Stays where it is while a migration may call back.
class Options {
 public:
  explicit Options(MigrateOptions options) : cpp_(std::move(options)) {
    c_.copy = cpp_.copy ? 1 : 0;
    c_.block_bytes = cpp_.block_bytes;
    c_.streams = cpp_.streams;
    c_.bandwidth = cpp_.bandwidth;
    c_.compression = cpp_.compression;
    c_.verify = cpp_.verify ? 1 : 0;
    c_.priority = cpp_.priority;
    c_.time_window = text_or_null(cpp_.time_window);
    c_.approval = cpp_.approval ? 1 : 0;
    c_.max_downtime_ms = cpp_.max_downtime_ms;
    c_.name = text_or_null(cpp_.name);
    if (!cpp_.progress) return;
    c_.progress = &Options::call;
    c_.progress_context = this;
  }
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  const godwit_migrate_options* get() const { return &c_; }
  // For the result of a call that may have run the callback: what it threw comes first.
  void check(int error) {
    if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
    detail::check(error);
  }

 private:
  static int call(const godwit_progress* progress, void* context) {
    Options& self = *static_cast<Options*>(context);
    if (self.thrown_) return 1;
    try {
      return self.cpp_.progress(*progress) ? 0 : 1;
    } catch (...) {
      self.thrown_ = std::current_exception();
      return 1;
    }
  }

  MigrateOptions cpp_;
  godwit_migrate_options c_ = GODWIT_MIGRATE_OPTIONS_INIT;
  std::exception_ptr thrown_;
};

}  // namespace detail

class Target;

class Region {
 public:
  RegionId id() const {
    RegionId id{};
    detail::check(godwit_region_get_id(handle_.get(), &id));
    return id;
  }
  void write(uint64_t offset, const void* data, uint64_t length) const {
    detail::check(godwit_region_write(handle_.get(), offset, data, length));
  }
  void read(uint64_t offset, void* data, uint64_t length) const {
    detail::check(godwit_region_read(handle_.get(), offset, data, length));
  }
  void persist(uint64_t offset, uint64_t length) const { detail::check(godwit_region_persist(handle_.get(), offset, length)); }
  uint64_t size() const {
    uint64_t size = 0;
    detail::check(godwit_region_size(handle_.get(), &size));
    return size;
  }
  RegionInfo info() const {
    RegionInfo info{};
    detail::check(godwit_region_stat(handle_.get(), &info));
    return info;
  }
  // Who else may read and write it: bits of 0666, as of a file.
  void chmod(uint32_t mode) const { detail::check(godwit_region_chmod(handle_.get(), mode)); }
  // Erases the region; the handle stays, and leads nowhere.
  void erase() const { detail::check(godwit_region_erase(handle_.get())); }
  // Waits until the region is there, and returns a handle to it at its new place.
  Region migrate(const Target& destination, MigrateOptions options = {}) const;

  godwit_region* c_handle() const { return handle_.get(); }

 private:
  friend class Client;
  friend class Target;
  Region(std::shared_ptr<godwit_client> client, godwit_region* handle) : client_(std::move(client)), handle_(handle) {}

  std::shared_ptr<godwit_client> client_;  // Closed last.
  detail::Handle<godwit_region> handle_;
};

// A place on a node that holds regions. Calls that take a RegionId open a handle first; use a Region for many accesses.
class Target {
 public:
  const std::string& address() const { return address_; }
  const std::string& name() const { return name_; }
  TargetInfo info() const {
    TargetInfo info{};
    detail::check(godwit_target_stat(handle_.get(), &info));
    return info;
  }
  std::vector<RegionInfo> regions() const {
    RegionInfo* infos = nullptr;
    size_t count = 0;
    detail::check(godwit_region_list(client_.get(), address_.c_str(), name_.c_str(), &infos, &count));
    return detail::take(infos, count);
  }

  // A region of `size` zero bytes. name empty: none.
  Region create(uint64_t size, const std::string& name = {}) const {
    godwit_region* region = nullptr;
    detail::check(godwit_region_create(handle_.get(), detail::text_or_null(name), size, &region));
    return Region(client_, region);
  }
  // A region that holds `data` from its first moment.
  Region create(const void* data, uint64_t size, const std::string& name = {}) const {
    godwit_region* region = nullptr;
    detail::check(godwit_region_create_write(handle_.get(), detail::text_or_null(name), data, size, &region));
    return Region(client_, region);
  }
  // Of the target's node, by id or name.
  Region open(const std::string& id_or_name) const {
    godwit_region* region = nullptr;
    detail::check(godwit_region_open(client_.get(), address_.c_str(), id_or_name.c_str(), &region));
    return Region(client_, region);
  }
  Region open(RegionId id) const { return open(to_string(id)); }

  void write(const Region& region, uint64_t offset, const void* data, uint64_t length) const {
    region.write(offset, data, length);
  }
  void write(RegionId id, uint64_t offset, const void* data, uint64_t length) const { open(id).write(offset, data, length); }
  void read(const Region& region, uint64_t offset, void* data, uint64_t length) const { region.read(offset, data, length); }
  void read(RegionId id, uint64_t offset, void* data, uint64_t length) const { open(id).read(offset, data, length); }
  void persist(const Region& region, uint64_t offset, uint64_t length) const { region.persist(offset, length); }
  void persist(RegionId id, uint64_t offset, uint64_t length) const { open(id).persist(offset, length); }
  uint64_t size(const Region& region) const { return region.size(); }
  uint64_t size(RegionId id) const { return open(id).size(); }
  void erase(const Region& region) const { region.erase(); }
  void erase(RegionId id) const { open(id).erase(); }

  // Waits until the region is at the destination: moved, or copied if the options say so.
  Region migrate(const Region& region, const Target& destination, MigrateOptions options = {}) const {
    return region.migrate(destination, std::move(options));
  }
  Region migrate(RegionId id, const Target& destination, MigrateOptions options = {}) const {
    return open(id).migrate(destination, std::move(options));
  }

  godwit_target* c_handle() const { return handle_.get(); }

 private:
  friend class Client;
  friend class Region;
  Target(std::shared_ptr<godwit_client> client, godwit_target* handle, std::string address, std::string name)
      : client_(std::move(client)), handle_(handle), address_(std::move(address)), name_(std::move(name)) {}

  std::shared_ptr<godwit_client> client_;  // Closed last.
  detail::Handle<godwit_target> handle_;
  std::string address_;
  std::string name_;
};

inline Region Region::migrate(const Target& destination, MigrateOptions options) const {
  detail::Options c_options(std::move(options));
  godwit_region* migrated = nullptr;
  const int error = godwit_region_migrate(handle_.get(), destination.c_handle(), c_options.get(), &migrated);
  detail::Handle<godwit_region> owner(migrated);
  c_options.check(error);
  return Region(destination.client_, owner.release());
}

// A migration that goes on by itself. Destroying the handle does not stop it.
class Migration {
 public:
  std::string id() const {
    char text[33];
    detail::check(godwit_migration_get_id(handle_.get(), text));
    return text;
  }
  // Whether it has ended, well or not. Does not wait.
  bool test(Progress* progress = nullptr) const {
    int done = 0;
    detail::check(godwit_migration_test(handle_.get(), &done, progress));
    return done != 0;
  }
  // timeout_ms 0: without limit. Throws if the job failed, or GODWIT_ERR_TIMEOUT. One thread at a time if there is a progress
  // callback.
  void wait(uint32_t timeout_ms = 0) const { options_->check(godwit_migration_wait(handle_.get(), timeout_ms)); }
  void cancel() const { detail::check(godwit_migration_cancel(handle_.get())); }
  void pause() const { detail::check(godwit_migration_pause(handle_.get())); }
  void resume() const { detail::check(godwit_migration_resume(handle_.get())); }
  void approve() const { detail::check(godwit_migration_approve(handle_.get())); }
  void cutover() const { detail::check(godwit_migration_cutover(handle_.get())); }
  void checkpoint() const { detail::check(godwit_migration_checkpoint(handle_.get())); }
  void rollback() const { detail::check(godwit_migration_rollback(handle_.get())); }
  void rollback_to_checkpoint() const { detail::check(godwit_migration_rollback_to_checkpoint(handle_.get())); }
  void limit(uint64_t bandwidth) const { detail::check(godwit_migration_limit(handle_.get(), bandwidth)); }
  std::vector<MigrateResult> results() const {
    MigrateResult* results = nullptr;
    size_t count = 0;
    detail::check(godwit_migration_results(handle_.get(), &results, &count));
    return detail::take(results, count);
  }
  // JSON.
  std::string report() const {
    char* json = nullptr;
    detail::check(godwit_migration_report(handle_.get(), &json));
    return detail::take(json);
  }

  godwit_migration* c_handle() const { return handle_.get(); }

 private:
  friend class Client;
  Migration(std::shared_ptr<godwit_client> client, std::unique_ptr<detail::Options> options, godwit_migration* handle)
      : client_(std::move(client)), options_(std::move(options)), handle_(handle) {}

  std::shared_ptr<godwit_client> client_;  // Closed last.
  std::unique_ptr<detail::Options> options_;
  detail::Handle<godwit_migration> handle_;
};

class Client {
 public:
  explicit Client(const ClientOptions& options = GODWIT_CLIENT_OPTIONS_INIT) {
    godwit_client* client = nullptr;
    detail::check(godwit_client_open(&options, &client));
    handle_ = std::shared_ptr<godwit_client>(client, detail::Close{});
  }

  // Microseconds of one round trip.
  double ping(const std::string& address) const {
    double microseconds = 0;
    detail::check(godwit_ping(handle_.get(), address.c_str(), &microseconds));
    return microseconds;
  }
  // JSON.
  std::string doctor(const std::string& address) const {
    char* json = nullptr;
    detail::check(godwit_doctor(handle_.get(), address.c_str(), &json));
    return detail::take(json);
  }
  Target target(const std::string& address, const std::string& name) const {
    godwit_target* target = nullptr;
    detail::check(godwit_target_open(handle_.get(), address.c_str(), name.c_str(), &target));
    detail::Handle<godwit_target> owner(target);
    return Target(handle_, owner.release(), address, name);
  }
  std::vector<TargetInfo> targets(const std::string& address) const {
    TargetInfo* infos = nullptr;
    size_t count = 0;
    detail::check(godwit_target_list(handle_.get(), address.c_str(), &infos, &count));
    return detail::take(infos, count);
  }
  Region region(const std::string& address, const std::string& id_or_name) const {
    godwit_region* region = nullptr;
    detail::check(godwit_region_open(handle_.get(), address.c_str(), id_or_name.c_str(), &region));
    return Region(handle_, region);
  }
  Region region(const std::string& address, RegionId id) const { return region(address, to_string(id)); }
  std::vector<RegionInfo> regions(const std::string& address) const {
    RegionInfo* infos = nullptr;
    size_t count = 0;
    detail::check(godwit_region_list(handle_.get(), address.c_str(), nullptr, &infos, &count));
    return detail::take(infos, count);
  }
  std::vector<JobInfo> jobs(const std::string& address) const {
    JobInfo* infos = nullptr;
    size_t count = 0;
    detail::check(godwit_job_list(handle_.get(), address.c_str(), &infos, &count));
    return detail::take(infos, count);
  }
  // JSON objects, one a line, the oldest first.
  // One job, by its id, asked of any member of its source's group.
  JobInfo job(const std::string& address, const std::string& job_id) const {
    JobInfo info{};
    detail::check(godwit_job_stat(handle_.get(), address.c_str(), job_id.c_str(), &info));
    return info;
  }
  // The members of the node's group, itself first.
  std::vector<Member> group(const std::string& address) const {
    Member* members = nullptr;
    size_t count = 0;
    detail::check(godwit_group_list(handle_.get(), address.c_str(), &members, &count));
    return detail::take(members, count);
  }
  // The jobs of all members that answer; `members` is set to all, each with the error of one that does not.
  std::vector<JobInfo> group_jobs(const std::string& address, std::vector<Member>& members) const {
    JobInfo* infos = nullptr;
    Member* list = nullptr;
    size_t count = 0, member_count = 0;
    detail::check(godwit_group_jobs(handle_.get(), address.c_str(), &infos, &count, &list, &member_count));
    const std::unique_ptr<JobInfo, detail::Free> owner(infos);
    members = detail::take(list, member_count);
    return std::vector<JobInfo>(infos, infos + count);
  }
  // Where in the node's group the region, database or job with this id, or region or database of this name, is.
  Place locate(const std::string& address, const std::string& id_or_name) const {
    Place place{};
    detail::check(godwit_locate(handle_.get(), address.c_str(), id_or_name.c_str(), &place));
    return place;
  }
  std::string job_events(const std::string& address, const std::string& job_id) const {
    char* lines = nullptr;
    detail::check(godwit_job_events(handle_.get(), address.c_str(), job_id.c_str(), &lines));
    return detail::take(lines);
  }

  // Starts to migrate regions of the node at `source`, all in one job, and returns.
  Migration start_migration(const std::string& source, const std::vector<RegionId>& regions, const Target& destination,
                            MigrateOptions options = {}) const {
    auto c_options = std::make_unique<detail::Options>(std::move(options));
    godwit_migration* migration = nullptr;
    detail::check(godwit_migrate_start(handle_.get(), source.c_str(), regions.data(), regions.size(),
                                       destination.address().c_str(), destination.name().c_str(), c_options->get(),
                                       &migration));
    return Migration(handle_, std::move(c_options), migration);
  }
  // The same, and waits. One result a region, in their order; throws only if none arrived.
  std::vector<MigrateResult> migrate(const std::string& source, const std::vector<RegionId>& regions, const Target& destination,
                                     MigrateOptions options = {}) const {
    const Migration migration = start_migration(source, regions, destination, std::move(options));
    try {
      migration.wait();
    } catch (const Error& error) {
      if (error.code() != GODWIT_ERR_PARTIAL) throw;
    }
    return migration.results();
  }
  // Copies (or moves) files and directory trees of the node at `source` into a directory of another, and waits. One result a
  // path, in their order; throws only if none arrived. `options.progress` must not throw.
  std::vector<MigrateResult> migrate_files(const std::string& source, const std::vector<std::string>& paths,
                                           const std::string& destination, const std::string& directory,
                                           const FilesetOptions& options = GODWIT_FILESET_OPTIONS_INIT) const {
    std::vector<const char*> c_paths;
    for (const std::string& path : paths) c_paths.push_back(path.c_str());
    MigrateResult* results = nullptr;
    size_t count = 0;
    const int error = godwit_fileset_migrate(handle_.get(), source.c_str(), c_paths.data(), c_paths.size(), destination.c_str(),
                                             directory.c_str(), &options, &results, &count);
    if (error != GODWIT_ERR_PARTIAL) detail::check(error);
    return detail::take(results, count);
  }
  // A job by its id, at its source node or another member of its group.
  Migration migration(const std::string& source, const std::string& job_id) const {
    auto c_options = std::make_unique<detail::Options>(MigrateOptions{});
    godwit_migration* migration = nullptr;
    detail::check(godwit_migration_open(handle_.get(), source.c_str(), job_id.c_str(), &migration));
    return Migration(handle_, std::move(c_options), migration);
  }

  godwit_client* c_handle() const { return handle_.get(); }

 private:
  std::shared_ptr<godwit_client> handle_;
};

}  // namespace api
}  // namespace godwit

#endif
