#include "fabric/local_endpoints.hpp"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <mutex>
#include <string_view>

namespace godwit::fabric {

namespace {

constexpr time_t kSweepAgeS = 60;

std::string kept_path_of(const std::string& name) { return shm_path(name) + ".kept"; }

struct Table {
  std::shared_mutex mutex;
  std::set<std::string> names;
};

Table& table() {
  static Table instance;
  return instance;
}

// "godwit-hub.<pid namespace>.": names of hubs that nobody connects to first. Process ids mean nothing across namespaces.
const std::string& own_name_prefix() {
  static const std::string prefix = [] {
    struct stat space {};
    stat("/proc/self/ns/pid", &space);
    return "godwit-hub." + std::to_string(space.st_ino) + ".";
  }();
  return prefix;
}

}  // namespace

void LocalEndpoints::add(const std::string& name) {
  const std::unique_lock lock(table().mutex);
  table().names.insert(name);
}

void LocalEndpoints::remove(const std::string& name) {
  const std::unique_lock lock(table().mutex);
  table().names.erase(name);
}

bool LocalEndpoints::is_ours(const std::string& name) {
  if (name.starts_with(own_name_prefix() + std::to_string(getpid()) + ".")) return true;
  const std::shared_lock lock(table().mutex);
  return table().names.contains(name);
}

std::shared_lock<std::shared_mutex> LocalEndpoints::hold(const std::string& name) {
  std::shared_lock lock(table().mutex);
  if (!table().names.contains(name)) lock.unlock();
  return lock;
}

bool LocalEndpoints::keep(const std::string& name) { return link(shm_path(name).c_str(), kept_path_of(name).c_str()) == 0; }

void LocalEndpoints::restore(const std::string& name) { rename(kept_path_of(name).c_str(), shm_path(name).c_str()); }

std::string LocalEndpoints::next_name() {
  static std::atomic<uint64_t> count{0};
  return own_name_prefix() + std::to_string(getpid()) + "." + std::to_string(count++);
}

void LocalEndpoints::sweep() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(shm_path("").c_str()), closedir);
  if (!folder) return;
  const std::string& prefix = own_name_prefix();
  while (const dirent* entry = readdir(folder.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix)) continue;
    pid_t pid = 0;
    const auto digits = name.substr(prefix.size());
    if (std::from_chars(digits.data(), digits.data() + digits.size(), pid).ec != std::errc{} || pid <= 0) continue;
    const std::string path = shm_path(std::string(name));
    struct stat status {};
    const bool old = stat(path.c_str(), &status) == 0 && time(nullptr) - status.st_ctime > kSweepAgeS;
    if (old && kill(pid, 0) != 0 && errno == ESRCH) unlink(path.c_str());
  }
}

}  // namespace godwit::fabric
