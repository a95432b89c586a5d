// Walk: what a tree of files is made of, as it stands, and whether it still stands so.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "model/fileset.hpp"
#include "objects/files/beneath.hpp"
#include "protocol/fileset_codec.hpp"

namespace godwit::objects {

// The first rule that matches decides; what none matches is taken. A pattern (fnmatch(3)) with a '/' is for the whole way below
// the top ("cache/*.tmp"), one without for the name alone ("*.tmp"). What is below a directory left out is left out too.
struct FileRule {
  bool take = false;
  std::string pattern;
};

struct WalkOptions {
  std::vector<FileRule> rules = {};
  bool xattrs = false;        // Extended attributes and ACLs too.
  bool skip_special = false;  // Leave out devices, sockets and FIFOs, which otherwise are an error.
  const char* special_advice = "which cannot be moved; --skip-special leaves it out";  // The end of that error.
  uint64_t listing_bytes_max = protocol::kListingBytesMax;  // Of what the walk may find, as it will travel.
};

// Which file it was and when it was last touched: if any of it differs, the file is another, or has changed.
struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size_bytes = 0;
  model::FileTime modified = {};
  model::FileTime changed = {};
  bool operator==(const FileState&) const = default;
};
FileState state_of(const struct stat& status);

struct Walked {
  model::Fileset files;
  std::vector<FileState> states;  // Of each entry.
  uint64_t left_out = 0;          // By a rule, or because they are special; what is below a directory is not counted.
  uint64_t listing_bytes = 0;     // What it takes in the job's listings, about.
};

// The tree at `name` in `directory`, opened by it alone: symbolic links are entries, never ways. Returns only once every later
// change of a file gives it another time than it has. `shown`: the directory's path, for errors. Blocks for the disk.
// Errors: kNotFound; kDenied, something cannot be read; kUnsupported, a special file; kLimit, as soon as it has more than the
// options and a fileset allow, whatever is left; kCancelled; kIo.
Result<Walked> walk(int directory, const std::string& name, const WalkOptions& options, const std::string& shown,
                    const std::atomic<bool>& cancelled);
// Whether all of it is still as it was walked. Errors: kChanged, the text names the first that is not; as walk().
Result<> recheck(int directory, const Walked& walked, const std::string& top, const std::string& shown);

}  // namespace godwit::objects
