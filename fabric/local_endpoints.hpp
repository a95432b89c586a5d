// LocalEndpoints: the shared-memory endpoints of this process that are open. Internal to fabric/.
//
// shm reaches an endpoint of the same process through a plain pointer, and goes on using it after that endpoint has been
// closed: so that nobody sends to it then, we keep account. Endpoints of other processes are mapped, and safe.
#pragma once

#include <set>
#include <shared_mutex>
#include <string>

namespace godwit::fabric {

// Where libfabric's shm keeps what its endpoints share: a file each, of the endpoint's name.
inline std::string shm_path(const std::string& name) { return "/dev/shm/" + name; }

// Any thread.
class LocalEndpoints {
 public:
  static void add(const std::string& name);
  // Returns when nobody sends to it any more.
  static void remove(const std::string& name);
  // Also of one that has been closed, unless its name was given by the operator.
  static bool is_ours(const std::string& name);
  // Keeps the endpoint open as long as the lock is held; no lock if it has been closed.
  static std::shared_lock<std::shared_mutex> hold(const std::string& name);

  // keep() before an endpoint is closed and restore() after it leave its memory in place, for peers that have yet to
  // look at what it sent. sweep() removes it when they had a minute. keep() returns whether it could.
  static bool keep(const std::string& name);
  static void restore(const std::string& name);

  // For hubs that nobody connects to first; unique on this machine.
  static std::string next_name();
  // Removes the shared memory that such hubs of killed processes left behind; nobody else does, and it is megabytes each.
  static void sweep();
};

}  // namespace godwit::fabric
