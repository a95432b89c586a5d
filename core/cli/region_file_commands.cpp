// `godwit region import|export`: whole files into regions and back, a chunk at a time.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "file_io.hpp"
#include "json.hpp"
#include "progress.hpp"
#include "session.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

struct ImportOptions {
  std::string file;
  std::string target;
  std::string name;
  uint64_t size_bytes = 0;
  bool size_given = false;
};

// Fills the region from the file; durable at the end. Throws Failure, also when the file is shorter or longer.
void fill(const Session& session, godwit_region* region, const File& input, uint64_t size) {
  std::vector<std::byte> buffer(static_cast<size_t>(std::clamp<uint64_t>(size, 1, kChunkBytes)));
  Progress progress(session.quiet);
  for (uint64_t done = 0; done < size;) {
    const size_t n = input.read({buffer.data(), static_cast<size_t>(std::min<uint64_t>(buffer.size(), size - done))});
    if (n == 0) throw Failure(GODWIT_ERR_IO, fmt::format("the file ended after {} of {} bytes", done, size));
    check(godwit_region_write(region, done, buffer.data(), n));
    done += n;
    progress.show("import", done, size);
  }
  if (input.read({buffer.data(), 1}) != 0) throw Failure(GODWIT_ERR_IO, fmt::format("the file has more than {} bytes", size));
  check(godwit_region_persist(region, 0, size));
}

int import_file(Session& session, const ImportOptions& options) {
  const File input = File::open_input(options.file);
  const uint64_t size = options.size_given ? options.size_bytes : input.size_bytes();
  const Target target = session.open_target(options.target);
  godwit_region* created = nullptr;
  check(godwit_region_create(target.get(), options.name.empty() ? nullptr : options.name.c_str(), size, &created));
  const Region region(created);
  try {
    fill(session, region.get(), input, size);
  } catch (const Failure&) {
    godwit_region_erase(region.get());  // Half a file is no import; what failed is the error to report.
    throw;
  }
  godwit_region_info info{};
  check(godwit_region_stat(region.get(), &info));
  if (session.json) {
    print_json(to_json(info));
  } else {
    print(to_text(info.id) + "\n");
  }
  return 0;
}

struct ExportOptions {
  std::string region;
  std::string file;
  bool force = false;
};

void drain(const Session& session, godwit_region* region, const File& output, uint64_t size) {
  std::vector<std::byte> buffer(static_cast<size_t>(std::clamp<uint64_t>(size, 1, kChunkBytes)));
  Progress progress(session.quiet);
  for (uint64_t done = 0; done < size;) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(buffer.size(), size - done));
    check(godwit_region_read(region, done, buffer.data(), n));
    output.write({buffer.data(), n});
    done += n;
    progress.show("export", done, size);
  }
}

// The file appears whole or not at all: it is written beside its place and linked there.
int export_file(Session& session, const ExportOptions& options) {
  const Region region = session.open_region(options.region);
  uint64_t size = 0;
  check(godwit_region_size(region.get(), &size));
  if (options.file == "-") {
    drain(session, region.get(), File::create_output("-", false), size);
    return 0;
  }
  if (!options.force && access(options.file.c_str(), F_OK) == 0)
    throw Failure(GODWIT_ERR_EXISTS, fmt::format("{} exists already; --force replaces it", options.file));
  const std::string part = fmt::format("{}.part.{}", options.file, getpid());
  File output = File::create_output(part, false);
  try {
    drain(session, region.get(), output, size);
    output.finish();
    const int moved =
        options.force ? std::rename(part.c_str(), options.file.c_str()) : link(part.c_str(), options.file.c_str());
    if (moved != 0)
      throw Failure(errno == EEXIST ? GODWIT_ERR_EXISTS : GODWIT_ERR_IO,
                    fmt::format("{}: {}", options.file, std::strerror(errno)));
    if (!options.force) unlink(part.c_str());
  } catch (const Failure&) {
    unlink(part.c_str());
    throw;
  }
  if (session.json) {
    godwit_region_id id{};
    check(godwit_region_get_id(region.get(), &id));
    print_json({{"id", to_text(id)}, {"file", options.file}, {"size_bytes", size}});
  }
  return 0;
}

}  // namespace

void add_region_file_commands(Menu& menu, CLI::App* region) {
  Session& session = menu.session();
  CLI::App* import_app = menu.command(region, "import", "Make a region that holds a file's bytes; print its id",
                                      "godwit region import mesh.dat --target fast --name mesh");
  const auto in = std::make_shared<ImportOptions>();
  import_app->add_option("FILE", in->file, "The file; - for standard input, with --size")->required();
  import_app->add_option("--target", in->target, "The target that holds it")->required()->type_name("NAME");
  import_app->add_option("--name", in->name, "The region's name; default: none")->type_name("NAME");
  CLI::Option* size = add_size_option(import_app, "--size", in->size_bytes, "For what is not a regular file: its length");
  import_app->parse_complete_callback([in, size] { in->size_given = size->count() > 0; });
  menu.on_run(import_app, [&session, in] { return import_file(session, *in); });

  CLI::App* export_app =
      menu.command(region, "export", "Write a region to a file, whole or not at all", "godwit region export mesh mesh.dat");
  const auto out = std::make_shared<ExportOptions>();
  export_app->add_option("REGION", out->region, "Id or name")->required();
  export_app->add_option("FILE", out->file, "The new file; - for standard output")->required();
  export_app->add_flag("--force", out->force, "Replace a file that is there");
  menu.on_run(export_app, [&session, out] { return export_file(session, *out); });
}

}  // namespace godwit::cli
