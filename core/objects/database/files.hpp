// Files: the few things that databases do with directories; errors as values.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace godwit::objects {

// Whether there is nothing at `path`, or an empty directory. Errors: kIo, also for a file there.
Result<bool> is_missing_or_empty(const std::string& path);
// Makes the directory and syncs the one it lies in; its parent must exist. Errors: kExists, kNoSpace, kIo.
Result<> make_directory(const std::string& path);
// The names of its regular files. Errors: kNotFound, kIo.
Result<std::vector<std::string>> files_of(const std::string& directory);
uint64_t bytes_of(const std::string& directory);
// Copies the bytes of one file into a new one. Errors: kExists, kNoSpace, kIo.
Result<> copy_file(const std::string& from, const std::string& to);
// A second name for the file, or a copy where the file systems differ.
Result<> link_or_copy(const std::string& from, const std::string& to);
// fsync of one file or directory. Errors: kNotFound, kNoSpace, kIo.
Result<> sync_path(const std::string& path);
// Removes the tree, links in it not followed; nothing there is no error. Errors: kIo.
Result<> remove_tree(const std::string& path);

// Runs `make` to fill a new directory; on failure none is left.
Result<> fill_new_directory(const std::string& path, const std::function<Result<>()>& make);

}  // namespace godwit::objects
