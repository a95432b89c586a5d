// Source: FILE or FILE:DATASET,... of the command line, and which objects of the file that means. Pure.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::h5stage {

struct Source {
  std::string file;
  std::vector<std::string> paths;  // Absolute, each once; empty: all of the file.
};

// "run.h5:/fields/t,u" is run.h5 with /fields/t and /u. File names and datasets may have colons: the longest beginning that
// `exists` before one of them is the file; if there is none, what is before the first colon. "\," is a comma and "\\" a
// backslash in a dataset's name. Throws Failure: INVALID, no file, or an empty dataset.
Source parse_source(std::string_view text, const std::function<bool(const std::string&)>& exists);

enum class Take {
  kNothing,
  kPassage,  // A group above something that is taken: it comes, and of what is in it only that.
  kWhole,
};

// What is taken of the object at `path` (absolute).
Take take_of(const Source& source, std::string_view path);

// Index of the path that `path` is, or source.paths.size().
size_t named_by(const Source& source, std::string_view path);

}  // namespace godwit::h5stage
