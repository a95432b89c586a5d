// The table `fileset`: trees of files that jobs brought to this node, the newest kFilesetsMax of them.
#pragma once

#include <sqlite3.h>

#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "journal/journal.hpp"

namespace godwit::journal {

// All within a transaction of the caller's, but the last. Errors: those of Statement.

// Each in the place of what was at its path before; the oldest beyond kFilesetsMax go.
Result<> put_filesets(sqlite3* database, std::span<const FilesetRecord> records);
// Those at these paths, and below them.
Result<> forget_filesets(sqlite3* database, std::span<const std::string> paths);
// The oldest first.
Result<std::vector<FilesetRecord>> read_filesets(sqlite3* database);

}  // namespace godwit::journal
