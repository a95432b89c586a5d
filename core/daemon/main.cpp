// godwitd: the daemon of a node.
#include <fmt/format.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstdio>
#include <fstream>

#include "base/log.hpp"
#include "base/sanitizer.hpp"
#include "daemon/daemon.hpp"
#include "daemon/version.hpp"

namespace {

using namespace godwit;

struct Options {
  std::string config, ready_file, log_level;
  int ready_fd = -1;
  bool foreground = false, doctor = false, json = false, print_settings = false, check = false;
};

int fail(const Error& error) {
  std::fprintf(stderr, "godwitd: %s\n  what to do: %s\n", error.text.c_str(),
               std::string(error_row(error.code).remedy).c_str());
  return error_row(error.code).exit_code;
}

// The addresses, one a line, the node's first: whoever started us may go on. Written aside and renamed, so never half there.
Result<> say_ready(const Options& options, const std::vector<std::string>& addresses) {
  std::string text;
  for (const std::string& address : addresses) text += address + "\n";
  if (!options.ready_file.empty()) {
    const std::string aside = options.ready_file + ".new";
    std::ofstream file(aside);
    file << text << std::flush;
    if (!file || std::rename(aside.c_str(), options.ready_file.c_str()) != 0)
      return error_from_errno(Errc::kIo, "ready file " + options.ready_file, errno);
  }
  if (options.ready_fd >= 0) {
    if (write(options.ready_fd, text.data(), text.size()) != static_cast<ssize_t>(text.size()))
      return error_from_errno(Errc::kIo, fmt::format("ready descriptor {}", options.ready_fd), errno);
    close(options.ready_fd);
  }
  return Done{};
}

// A library that libfabric loads (libinfinipath) catches these, writes a file to the working directory, and ends us with an
// exit status: no core, and nobody knows that we crashed. Sanitizers catch them with reason.
void leave_crashes_to_the_kernel() {
  if (kIsSanitized) return;
  for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE}) signal(number, SIG_DFL);
}

int serve(const Options& options, daemon::Settings settings) {
  // Before any thread starts, so that every thread leaves the signals to us.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // What a read lease is broken with, by whoever opens a file just when we ask whether it has a writer. Its default ends us.
  signal(SIGIO, SIG_IGN);

  auto daemon = daemon::Daemon::start(std::move(settings));
  if (!daemon) return fail(daemon.error());
  leave_crashes_to_the_kernel();
  if (auto said = say_ready(options, (*daemon)->addresses()); !said) return fail(said.error());
  if (!options.foreground) log::debug("running in the foreground; use your service manager to put it in the background");
  int number = 0;
  sigwait(&signals, &number);
  log::info("{}: stopping", number == SIGTERM ? "SIGTERM" : "SIGINT");
  daemon->reset();
  if (!options.ready_file.empty()) unlink(options.ready_file.c_str());
  return 0;
}

int run(const Options& options) {
  if (options.print_settings) {
    std::fputs(daemon::settings_as_markdown().c_str(), stdout);
    return 0;
  }
  daemon::Settings settings;
  if (!options.config.empty()) {
    auto loaded = daemon::load_settings(options.config);
    if (!loaded) return fail(loaded.error());
    settings = std::move(*loaded);
  } else if (!options.doctor) {
    return fail(Error{Errc::kConfig, "--config FILE is needed"});
  }
  if (!options.log_level.empty()) settings.log_level = options.log_level;
  if (auto set = log::set_level(options.doctor ? "error" : settings.log_level); !set) return fail(set.error());
  if (options.doctor) {
    const std::string report = daemon::doctor_json(settings, nullptr);
    std::fputs((options.json ? report + "\n" : daemon::doctor_text(report)).c_str(), stdout);
    return 0;
  }
  if (options.check) {
    if (auto site = daemon::site_settings(settings, Id{}); !site) return fail(site.error());
    std::printf("%s is valid: %zu targets\n", options.config.c_str(), settings.targets.size());
    return 0;
  }
  return serve(options, std::move(settings));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"godwitd: holds regions on this node and moves them to others"};
  app.footer("Example:\n  godwitd --config /etc/godwit/godwitd.json --ready-file /run/godwit/ready");
  Options options;
  app.add_option("--config", options.config, "configuration file (JSON; see docs/reference/settings.md)");
  app.add_option("--ready-file", options.ready_file, "write the addresses there once serving");
  app.add_option("--ready-fd", options.ready_fd, "write the addresses to this descriptor once serving, and close it");
  app.add_option("--log-level", options.log_level, "trace, debug, info, warning, error or off");
  app.add_flag("--foreground", options.foreground, "stay in the foreground (it always does)");
  app.add_flag("--check", options.check, "check the configuration and end");
  app.add_flag("--doctor", options.doctor, "print what this machine offers, and end");
  app.add_flag("--json", options.json, "with --doctor: as JSON");
  app.add_flag("--print-settings", options.print_settings, "print the table of settings as Markdown, and end");
  app.set_version_flag("--version", std::string("godwitd ") + daemon::kVersion);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(options);
  } catch (const std::exception& error) {  // Out of memory, or a defect.
    return fail(Error{Errc::kInternal, error.what()});
  }
}
