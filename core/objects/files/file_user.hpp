// FileUser: whose rights file work is done with; ActAs: doing it with them.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace godwit::objects {

// A user of this node, as this node's directory of users has it. Constant.
struct FileUser {
  uid_t uid = 0;
  gid_t gid = 0;              // New files get it, where their directory does not say otherwise.
  std::vector<gid_t> groups;  // All of them.

  // Who `uid` is here; nothing, if it is the daemon's own user, whose rights every thread has anyway. `gid` is the group it
  // works in, if this node has it in that group; else its usual one is. Blocks for the directory of users. Any thread.
  // Errors: kDenied, this daemon cannot act as others (the text says why); kNotFound, nobody knows that user here; kLimit, it
  // is in too many groups; kIo.
  static Result<std::shared_ptr<const FileUser>> find(uid_t uid, gid_t gid);
  // One that find() does not find, for what has to be ended all the same: may do what the owner of a file may, and no more. Any
  // thread. Errors: kDenied, as find().
  static Result<std::shared_ptr<const FileUser>> without_groups(uid_t uid);
};
// Null: the daemon's own user.
using FileUserPtr = std::shared_ptr<const FileUser>;

// Whether this daemon may do file work for others than its own user at all. Errors: kDenied, the text says what it lacks.
Result<> check_can_act();

// While it lives, what this thread does in file systems it does as that user: with that user and group, its groups, and no
// capability. Other threads, and who may signal or trace this one, are as before. An io_uring keeps the rights of whoever
// submits, or of who has called pmem::FdQueue::keep_rights(). Within another one for the same user, and for nobody (null), it
// does nothing and costs nothing; within one for another user it ends the process, and so does whatever keeps it from taking
// the rights or from giving them back: nothing is done with wrong ones. Not to be held while SQLite, the fabric or programs of
// the operator are called.
class ActAs {
 public:
  explicit ActAs(const FileUser* user);
  explicit ActAs(const FileUserPtr& user) : ActAs(user.get()) {}
  ~ActAs();
  ActAs(const ActAs&) = delete;
  ActAs& operator=(const ActAs&) = delete;

 private:
  bool changed_ = false;
};

// Who this thread's file work is done as now.
uid_t acting_uid();
// What the kernel refuses nobody else, it lets this thread do: read everything, give files away.
bool acts_as_root();
// Whether the kernel lets this thread give what its user owns to that group.
bool may_give_to(gid_t group);

}  // namespace godwit::objects
