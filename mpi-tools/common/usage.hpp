// Usage: how a run of many ranks ends whose command line asks for help, or is wrong.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sstream>

namespace godwit::tools {

// Prints what `app` has to say of it, if this rank `is_speaker`: help to standard output, a mistake to standard error. Returns
// the exit code: 0, or 2.
inline int tell_usage(const CLI::App& app, const CLI::ParseError& error, bool is_speaker) {
  constexpr int kMistake = 2;
  std::ostringstream text;
  const int code = app.exit(error, text, text) == 0 ? 0 : kMistake;
  if (is_speaker) std::fputs(text.str().c_str(), code == 0 ? stdout : stderr);
  return code;
}

}  // namespace godwit::tools
