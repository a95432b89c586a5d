// `godwit migrate files`: copies files and directory trees, or moves them, to another node.
#include <fmt/format.h>

#include <memory>

#include "job_wait.hpp"
#include "json.hpp"
#include "session.hpp"
#include "text.hpp"
#include "transfer_options.hpp"

namespace godwit::cli {
namespace {

struct FilesOptions {
  std::vector<std::string> paths;
  std::string from;  // Empty: the session's node.
  std::string to;    // ADDR:DIRECTORY
  std::vector<std::string> includes;
  std::vector<std::string> excludes;
  bool move = false, update = false, dry_run = false, force = false, xattrs = false, skip_special = false;
  bool run_async = false;
  TransferOptions transfer;
};

struct Destination {
  std::string address;
  std::string directory;
};

// "tcp://n2:7411:/scratch". Throws Failure (INVALID).
Destination parse_destination(const std::string& to) {
  const size_t scheme = to.find("://");
  const size_t colon = scheme == std::string::npos ? scheme : to.find(":/", scheme + 3);
  if (colon == std::string::npos)
    throw Failure(GODWIT_ERR_INVALID, "--to takes a node and a directory there, for example tcp://n2:7411:/scratch");
  return {to.substr(0, colon), to.substr(colon + 1)};
}

int print_planned(const Session& session, godwit_migration* migration, const FilesOptions& options) {
  struct Lines {
    Json list = Json::array();
    std::string text;
    uint64_t comes = 0, bytes = 0;
  } lines;
  uint64_t total = 0;
  const auto each = [](const godwit_planned_file* file, void* context) {
    auto& all = *static_cast<Lines*>(context);
    all.list.push_back(
        {{"path", printable(file->path)}, {"kind", file->kind}, {"comes", file->comes != 0}, {"bytes", file->bytes}});
    if (file->comes == 0) return 0;
    ++all.comes;
    all.bytes += file->bytes;
    all.text +=
        fmt::format("{:10} {:>10}  {}\n", file->kind, format_size(static_cast<double>(file->bytes)), printable(file->path));
    return 0;
  };
  check(godwit_fileset_planned(migration, each, &lines, &total));
  if (session.json) {
    print_json({{"dry_run", true}, {"move", options.move}, {"files", lines.list}, {"total", total}, {"bytes", lines.bytes}});
  } else {
    print(lines.text);
    print(fmt::format("would {} {} of {} files and directories, {}\n", options.move ? "move" : "copy", lines.comes, total,
                      format_size(static_cast<double>(lines.bytes))));
  }
  return 0;
}

int migrate_files(Session& session, FilesOptions options) {
  if (options.from.empty()) options.from = session.address();
  const Destination destination = parse_destination(options.to);
  std::vector<godwit_file_rule> rules;
  for (const std::string& pattern : options.includes) rules.push_back({1, pattern.c_str()});
  for (const std::string& pattern : options.excludes) rules.push_back({0, pattern.c_str()});
  godwit_fileset_options how = GODWIT_FILESET_OPTIONS_INIT;
  how.move = options.move;
  how.update = options.update;
  how.dry_run = options.dry_run;
  how.force = options.force;
  how.xattrs = options.xattrs;
  how.skip_special = options.skip_special;
  how.rules = rules.data();
  how.rule_count = rules.size();
  how.block_bytes = options.transfer.block_bytes;
  options.transfer.give_to(how);
  std::vector<const char*> paths;
  for (const std::string& path : options.paths) paths.push_back(path.c_str());
  godwit_migration* started = nullptr;
  check(godwit_fileset_migrate_start(session.client(), options.from.c_str(), paths.data(), paths.size(),
                                     destination.address.c_str(), destination.directory.c_str(), &how, &started));
  const Migration migration(started);
  char id[33];
  check(godwit_migration_get_id(migration.get(), id));
  if (options.dry_run) {
    check(godwit_migration_wait(migration.get(), 0));
    return print_planned(session, migration.get(), options);
  }
  if (!options.run_async) {
    if (!session.quiet) fmt::print(stderr, "job {} (it goes on if this command ends)\n", id);
    return wait_and_report(session, migration.get(), {"path", "paths", options.paths});
  }
  if (session.json) {
    print_json({{"job", id}, {"source", options.from}});
  } else {
    print(std::string(id) + "\n");
  }
  return 0;
}

void add_files_options(CLI::App* app, FilesOptions& options) {
  app->add_option("PATH", options.paths, "Absolute paths of files and directories at the source")->required();
  app->add_option("--from", options.from, "The node where they are; default: --node")->type_name("ADDR");
  app->add_option("--to", options.to, "The node and the directory there, into which each goes under its last name")
      ->required()
      ->type_name("ADDR:DIRECTORY");
  app->add_flag("--move", options.move, "Remove the source once the destination has it durably. Default: copy");
  app->add_flag("--update", options.update, "Bring up to date what is there already: only what differs travels");
  app->add_flag("--dry-run", options.dry_run, "Only say what would travel");
  app->add_option("--exclude", options.excludes, "Leave out what matches; with a '/': the path below PATH, else the name")
      ->type_name("PATTERN");
  app->add_option("--include", options.includes, "Take what matches, even if --exclude matches it too")->type_name("PATTERN");
  app->add_flag("--xattrs", options.xattrs, "User extended attributes and ACLs too");
  app->add_flag("--skip-special", options.skip_special, "Leave out devices, sockets and FIFOs instead of failing");
  app->add_flag("--force", options.force, "Also read files that somebody has open for writing");
  add_transfer_options(app, options.transfer, "--block-size");
  app->add_flag("--async", options.run_async, "Print the job's id and do not wait");
}

}  // namespace

void add_migrate_files_command(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "files", "Copy (or move) files and directory trees to another node",
                               "godwit migrate files /scratch/run7 --from tcp://n1:7411 --to tcp://n2:7411:/scratch\n"
                               "  godwit migrate files /scratch/run7 --from tcp://n1:7411 --to tcp://n2:7411:/scratch "
                               "--update --exclude '*.tmp' --dry-run");
  const auto options = std::make_shared<FilesOptions>();
  add_files_options(app, *options);
  menu.on_run(app, [&session, options] { return migrate_files(session, *options); });
}

}  // namespace godwit::cli
