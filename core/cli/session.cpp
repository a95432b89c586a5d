#include "session.hpp"

#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "json.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

uint32_t whole_ms(double seconds) { return static_cast<uint32_t>(std::llround(seconds * 1000)); }

std::string with_example(const std::string& example) { return "Example:\n  " + example; }

}  // namespace

void check(int code) {
  if (code != GODWIT_OK) throw Failure(code, godwit_last_error());
}

bool Session::has_address() const {
  const char* from_environment = std::getenv("GODWIT_NODE");
  return !node.empty() || (from_environment != nullptr && *from_environment != '\0');
}

std::string Session::address() const {
  if (!node.empty()) return node;
  if (has_address()) return std::getenv("GODWIT_NODE");
  throw Failure(GODWIT_ERR_INVALID, "no node given: use --node ADDR, or set GODWIT_NODE");
}

Client Session::open_client(bool follow) const {
  godwit_client_options options = GODWIT_CLIENT_OPTIONS_INIT;
  options.operation_timeout_ms = whole_ms(timeout_seconds);
  options.connect_timeout_ms = whole_ms(connect_timeout_seconds);
  options.do_not_follow = follow ? 0 : 1;
  godwit_client* client = nullptr;
  check(godwit_client_open(&options, &client));
  return Client(client);
}

godwit_client* Session::client() {
  if (!client_) client_ = open_client(true);
  return client_.get();
}

godwit_client* Session::client_that_stays() {
  if (!staying_client_) staying_client_ = open_client(false);
  return staying_client_.get();
}

Region Session::open_region(const std::string& id_or_name) {
  godwit_region* region = nullptr;
  check(godwit_region_open(client(), address().c_str(), id_or_name.c_str(), &region));
  return Region(region);
}

Target Session::open_target(const std::string& name) {
  godwit_target* target = nullptr;
  check(godwit_target_open(client(), address().c_str(), name.c_str(), &target));
  return Target(target);
}

int Session::run(const std::function<int()>& command) const {
  try {
    return command();
  } catch (const Failure& failure) {
    print_failure(failure.code(), failure.what(), json);
    return godwit_error_exit_code(failure.code());
  } catch (const std::bad_alloc&) {
    print_failure(GODWIT_ERR_MEMORY, "out of memory", json);
    return godwit_error_exit_code(GODWIT_ERR_MEMORY);
  }
}

CLI::App* Menu::group(const std::string& name, const std::string& what, const std::string& example) {
  CLI::App* app = root_.add_subcommand(name, what);
  app->require_subcommand(1);
  app->footer(with_example(example));
  return app;
}

CLI::App* Menu::command(CLI::App* group, const std::string& name, const std::string& what, const std::string& example) {
  CLI::App* app = (group == nullptr ? &root_ : group)->add_subcommand(name, what);
  add_common_options(*app, session_);
  app->footer(with_example(example));
  return app;
}

void Menu::on_run(CLI::App* command, Chosen action) {
  command->callback([this, command, action = std::move(action)] {
    if (command->get_subcommands().empty()) chosen_ = action;
  });
}

void add_common_options(CLI::App& app, Session& session) {
  constexpr const char* kGroup = "Common options";
  CLI::Validator seconds = CLI::Range(0.001, 4e6);
  seconds.description("");  // The help would show the bounds as if they were a type.
  app.add_option("--node", session.node, "Address of the node; default: the environment variable GODWIT_NODE")
      ->type_name("ADDR")
      ->group(kGroup);
  app.add_flag("--json", session.json, "Print JSON; errors too, on standard error")->group(kGroup);
  app.add_flag("-q,--quiet", session.quiet, "No progress")->group(kGroup);
  app.add_option("--timeout", session.timeout_seconds, "Of one operation; default 60")
      ->type_name("SECONDS")
      ->check(seconds)
      ->group(kGroup);
  app.add_option("--connect-timeout", session.connect_timeout_seconds, "Default 5")
      ->type_name("SECONDS")
      ->check(seconds)
      ->group(kGroup);
}

CLI::Option* add_size_option(CLI::App* app, const std::string& name, uint64_t& value, const std::string& what) {
  return app
      ->add_option_function<std::string>(
          name,
          [&value, name](const std::string& text) {
            const auto size = parse_size(text);
            if (!size)
              throw CLI::ValidationError(name, fmt::format("'{}' is not a size such as 4096, 64KiB or 2GiB", printable(text)));
            value = *size;
          },
          what)
      ->type_name("SIZE");
}

}  // namespace godwit::cli
