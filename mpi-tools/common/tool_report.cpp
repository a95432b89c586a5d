#include "common/tool_report.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <godwit/godwit.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <stdexcept>
#include <vector>

#include "common/machine.hpp"

namespace godwit::tools {
bool replace_file(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) return false;
  const std::string directory = std::filesystem::path(to).parent_path().string();
  const int opened = open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return errno == EACCES;  // One that may be written and not read: there is no more to be done.
  const bool is_kept = fsync(opened) == 0 || errno == EINVAL;  // Some file systems know no such thing.
  close(opened);
  return is_kept;
}

nlohmann::json begin_report(const std::string& tool, int argc, const char* const* argv) {
  return {{"report_version", kReportVersion},
          {"tool", tool},
          {"version", godwit_version()},
          {"time", fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))},
          {"command", std::vector<std::string>(argv, argv + argc)},
          {"machine", machine()}};
}

nlohmann::json libraries_at(const std::string& address) {
  nlohmann::json libraries = nlohmann::json::object();
  godwit_client* client = nullptr;
  char* text = nullptr;
  if (godwit_client_open(nullptr, &client) == GODWIT_OK && godwit_doctor(client, address.c_str(), &text) == GODWIT_OK) {
    const auto told = nlohmann::json::parse(text, nullptr, false);
    if (told.is_object() && told.contains("libfabric")) libraries["libfabric"] = told["libfabric"];
    godwit_free(text);
  }
  godwit_client_close(client);
  return libraries;
}

void write_report(const nlohmann::json& report, const std::string& file) {
  namespace fs = std::filesystem;
  std::error_code error;
  // A device or a pipe is written to as it is.
  const bool is_special = fs::exists(file, error) && !fs::is_regular_file(file, error);
  const std::string written = is_special ? file : fmt::format("{}.{}.part", file, getpid());
  const std::string text = report.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  std::FILE* const out = std::fopen(written.c_str(), "w");
  bool is_good = out != nullptr && std::fwrite(text.data(), 1, text.size(), out) == text.size() && std::fflush(out) == 0 &&
                 (is_special || fsync(fileno(out)) == 0);
  if (out != nullptr) is_good = std::fclose(out) == 0 && is_good;
  if (is_good && !is_special) is_good = replace_file(written, file);
  if (is_good) return;
  if (!is_special) fs::remove(written, error);
  throw std::runtime_error("cannot write the report " + file);
}

}  // namespace godwit::tools
