// `godwit region write|read`: bytes of a region from standard input and to standard output.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "file_io.hpp"
#include "json.hpp"
#include "progress.hpp"
#include "session.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

struct Range {
  std::string region;
  std::string file = "-";
  uint64_t offset_bytes = 0;
  uint64_t length_bytes = 0;
  bool length_given = false;
  bool persist = false;
};

uint64_t size_of(godwit_region* region) {
  uint64_t size = 0;
  check(godwit_region_size(region, &size));
  return size;
}

// What was transferred, as JSON; nothing without --json.
void print_range(const Session& session, godwit_region* region, const Range& range, uint64_t length_bytes) {
  if (!session.json) return;
  godwit_region_id id{};
  check(godwit_region_get_id(region, &id));
  print_json({{"id", to_text(id)}, {"offset_bytes", range.offset_bytes}, {"length_bytes", length_bytes}});
}

int write(Session& session, const Range& range) {
  const Region region = session.open_region(range.region);
  const uint64_t size = size_of(region.get());
  const File input = File::open_input(range.file);
  // Refused before any byte is written where the length is known, and at the region's end where it is not.
  const bool known = range.length_given || input.is_regular();
  const uint64_t wanted = range.length_given ? range.length_bytes : known ? input.size_bytes() : 0;
  check(godwit_region_write(region.get(), range.offset_bytes, nullptr, 0));
  if (wanted > size - range.offset_bytes)
    throw Failure(GODWIT_ERR_RANGE, fmt::format("region '{}' has {} bytes: {} bytes at offset {} reach past its end",
                                                range.region, size, wanted, range.offset_bytes));
  std::vector<std::byte> buffer(kChunkBytes);
  Progress progress(session.quiet);
  uint64_t done = 0;
  while (!range.length_given || done < wanted) {
    const size_t limit = range.length_given ? static_cast<size_t>(std::min<uint64_t>(kChunkBytes, wanted - done)) : kChunkBytes;
    const size_t n = input.read({buffer.data(), limit});
    if (n == 0) break;
    check(godwit_region_write(region.get(), range.offset_bytes + done, buffer.data(), n));
    done += n;
    progress.show("write", done, std::max(done, wanted));
  }
  if (range.length_given && done < wanted)
    throw Failure(GODWIT_ERR_IO, fmt::format("the input ended after {} of {} bytes, which were written", done, wanted));
  if (range.persist) check(godwit_region_persist(region.get(), range.offset_bytes, done));
  print_range(session, region.get(), range, done);
  return 0;
}

int read(Session& session, const Range& range) {
  if (session.json && range.file == "-")
    throw Failure(GODWIT_ERR_INVALID, "--json needs --file: standard output holds the region's bytes");
  const Region region = session.open_region(range.region);
  const uint64_t size = size_of(region.get());
  check(godwit_region_read(region.get(), range.offset_bytes, nullptr, 0));
  const uint64_t wanted = range.length_given ? range.length_bytes : size - range.offset_bytes;
  if (wanted > size - range.offset_bytes)
    throw Failure(GODWIT_ERR_RANGE, fmt::format("region '{}' has {} bytes: {} bytes at offset {} reach past its end",
                                                range.region, size, wanted, range.offset_bytes));
  File output = File::create_output(range.file, true);
  std::vector<std::byte> buffer(kChunkBytes);
  Progress progress(session.quiet);
  for (uint64_t done = 0; done < wanted;) {
    const size_t n = static_cast<size_t>(std::min<uint64_t>(kChunkBytes, wanted - done));
    check(godwit_region_read(region.get(), range.offset_bytes + done, buffer.data(), n));
    output.write({buffer.data(), n});
    done += n;
    progress.show("read", done, wanted);
  }
  output.finish();
  print_range(session, region.get(), range, wanted);
  return 0;
}

std::shared_ptr<Range> add_range_options(CLI::App* app, const std::string& file_help) {
  const auto range = std::make_shared<Range>();
  app->add_option("REGION", range->region, "Id or name")->required();
  add_size_option(app, "--offset", range->offset_bytes, "Where to begin; default 0");
  CLI::Option* length = add_size_option(app, "--length", range->length_bytes, "How much; default: all there is");
  app->add_option("--file", range->file, file_help)->type_name("FILE");
  app->parse_complete_callback([range, length] { range->length_given = length->count() > 0; });
  return range;
}

}  // namespace

void add_region_io_commands(Menu& menu, CLI::App* region) {
  Session& session = menu.session();
  CLI::App* write_app = menu.command(region, "write", "Write standard input into a region",
                                     "godwit region write field --offset 4096 < patch.bin");
  const auto write_range = add_range_options(write_app, "Read this file instead of standard input");
  write_app->add_flag("--persist", write_range->persist, "Make the bytes durable before returning");
  menu.on_run(write_app, [&session, write_range] { return write(session, *write_range); });

  CLI::App* read_app = menu.command(region, "read", "Write a region's bytes to standard output",
                                    "godwit region read field --offset 4096 --length 64KiB > part.bin");
  const auto read_range = add_range_options(read_app, "Write (over) this file instead of standard output");
  menu.on_run(read_app, [&session, read_range] { return read(session, *read_range); });
}

}  // namespace godwit::cli
