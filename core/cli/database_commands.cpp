// `godwit db ...`: databases as a whole, and their keys and values.
#include <fmt/format.h>

#include <array>
#include <memory>
#include <vector>

#include "chmod.hpp"
#include "file_io.hpp"
#include "json.hpp"
#include "session.hpp"
#include "text.hpp"

namespace godwit::cli {
namespace {

constexpr uint64_t kValueBytesMax = uint64_t{64} << 20;

Database open(Session& session, const std::string& id_or_name) {
  godwit_database* database = nullptr;
  check(godwit_database_open(session.client(), session.address().c_str(), id_or_name.c_str(), &database));
  return Database(database);
}

std::string hex_of(const void* data, size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", static_cast<const unsigned char*>(data)[i]);
  return text;
}

// A key of the command line: as it is, or as hexadecimal digits.
struct Key {
  std::string database;
  std::string text;
  bool is_hex = false;

  std::string bytes() const {
    if (!is_hex) return text;
    if (text.size() % 2 != 0 || text.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
      throw Failure(GODWIT_ERR_INVALID, "the key is not an even number of hexadecimal digits");
    std::string key;
    for (size_t i = 0; i < text.size(); i += 2) key.push_back(static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16)));
    return key;
  }
};

void print_database(const Session& session, godwit_database* database) {
  godwit_database_info info{};
  check(godwit_database_stat(database, &info));
  if (session.json) return print_json(to_json(info));
  Table table({"ID", to_text(info.id)});
  table.add({"name", info.name});
  table.add({"backend", info.backend});
  table.add({"path", info.path});
  table.add({"options", info.options});
  table.add({"takes", format_size(static_cast<double>(info.bytes))});
  table.add({"node", info.address});
  table.add({"epoch", fmt::format("{}", info.epoch)});
  add_owner(table, info);
  print(table.text());
}

struct CreateOptions {
  std::string name, backend = "map", options;
};

int create(Session& session, const CreateOptions& options) {
  godwit_database* created = nullptr;
  check(godwit_database_create(session.client(), session.address().c_str(), options.name.c_str(), options.backend.c_str(),
                               options.options.empty() ? nullptr : options.options.c_str(), &created));
  const Database database(created);
  godwit_database_info info{};
  check(godwit_database_stat(created, &info));
  if (session.json)
    print_json(to_json(info));
  else
    print(to_text(info.id) + "\n");
  return 0;
}

int list(Session& session) {
  Array<godwit_database_info> infos;
  check(godwit_database_list(session.client(), session.address().c_str(), infos.out(), infos.out_count()));
  if (session.json) {
    Json all = Json::array();
    for (const auto& info : infos.items()) all.push_back(to_json(info));
    print_json(all);
    return 0;
  }
  Table table({"ID", "BACKEND", "TAKES", "EPOCH", "NAME"});
  for (const auto& info : infos.items())
    table.add({to_text(info.id), info.backend, format_size(static_cast<double>(info.bytes)), fmt::format("{}", info.epoch),
               info.name});
  print(table.text());
  return 0;
}

int change_mode(Session& session, const ChangeModeOptions& options) {
  return change_modes(session, options, [&](const std::string& name, uint32_t mode) {
    const Database database = open(session, name);
    check(godwit_database_chmod(database.get(), mode));
    godwit_database_info info{};
    check(godwit_database_stat(database.get(), &info));
    return to_json(info);
  });
}

struct PutOptions {
  Key key;
  std::string file = "-", value;
  bool value_given = false, persist = false;
};

int put(Session& session, const PutOptions& options) {
  std::string value = options.value;
  if (!options.value_given) {
    const File input = File::open_input(options.file);
    std::vector<std::byte> buffer(kChunkBytes);
    for (size_t n; (n = input.read(buffer)) > 0;) {
      value.append(reinterpret_cast<const char*>(buffer.data()), n);
      if (value.size() > kValueBytesMax) throw Failure(GODWIT_ERR_LIMIT, "a value has 64 MiB at most");
    }
  }
  const std::string key = options.key.bytes();
  const Database database = open(session, options.key.database);
  check(godwit_database_put(database.get(), key.data(), key.size(), value.data(), value.size()));
  if (options.persist) check(godwit_database_persist(database.get()));
  if (session.json) print_json({{"key", key}, {"key_hex", hex_of(key.data(), key.size())}, {"size_bytes", value.size()}});
  return 0;
}

struct GetOptions {
  Key key;
  std::string file = "-";
};

int get(Session& session, const GetOptions& options) {
  if (session.json && options.file == "-")
    throw Failure(GODWIT_ERR_INVALID, "--json needs --file: standard output holds the value");
  const std::string key = options.key.bytes();
  const Database database = open(session, options.key.database);
  std::vector<std::byte> value(4096);
  uint64_t size = value.size();
  int error = godwit_database_get(database.get(), key.data(), key.size(), value.data(), &size);
  while (error == GODWIT_ERR_RANGE) {  // It may have grown meanwhile.
    value.resize(size);
    error = godwit_database_get(database.get(), key.data(), key.size(), value.data(), &size);
  }
  check(error);
  File output = File::create_output(options.file, true);
  output.write({value.data(), size});
  output.finish();
  if (session.json) print_json({{"key", key}, {"key_hex", hex_of(key.data(), key.size())}, {"size_bytes", size}});
  return 0;
}

struct KeysOptions {
  std::string database, prefix, from;
  uint64_t limit = 0;
  bool is_hex = false;
};

int keys(Session& session, const KeysOptions& options) {
  const std::string prefix = Key{{}, options.prefix, options.is_hex}.bytes(),
                    from = Key{{}, options.from, options.is_hex}.bytes();
  const Database database = open(session, options.database);
  Array<godwit_key_value> found;
  check(godwit_database_list_keys(database.get(), prefix.data(), prefix.size(), from.data(), from.size(), options.limit,
                                  found.out(), found.out_count()));
  Json all = Json::array();
  std::string lines;
  for (const godwit_key_value& one : found.items()) {
    const std::string key(static_cast<const char*>(one.key), one.key_size);
    if (session.json)
      all.push_back({{"key", key}, {"key_hex", hex_of(one.key, one.key_size)}});
    else
      lines += (options.is_hex ? hex_of(one.key, one.key_size) : printable(key)) + "\n";
  }
  if (session.json)
    print_json(all);
  else
    print(lines);
  return 0;
}

int count(Session& session, const KeysOptions& options) {
  const std::string prefix = Key{{}, options.prefix, options.is_hex}.bytes();
  const Database database = open(session, options.database);
  uint64_t keys = 0;
  check(godwit_database_count(database.get(), prefix.data(), prefix.size(), &keys));
  if (session.json)
    print_json({{"count", keys}});
  else
    print(fmt::format("{}\n", keys));
  return 0;
}

int destroy(Session& session, const std::string& name, bool dry_run) {
  const Database database = open(session, name);
  godwit_database_info info{};
  check(godwit_database_stat(database.get(), &info));
  if (!dry_run) check(godwit_database_destroy(database.get()));
  if (session.json) {
    Json json = to_json(info);
    json["destroyed"] = !dry_run;
    print_json(json);
  } else {
    print(fmt::format("{} {} {} ({}) on {}\n", dry_run ? "would destroy" : "destroyed", to_text(info.id), printable(info.name),
                      format_size(static_cast<double>(info.bytes)), printable(info.address)));
  }
  return 0;
}

// ---- the command line

void add_key(CLI::App* app, Key& key) {
  app->add_option("DB", key.database, "Id or name of the database")->required();
  app->add_option("KEY", key.text, "The key")->required();
  app->add_flag("--hex", key.is_hex, "The key is given as hexadecimal digits: it may be any bytes");
}

void add_create(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* app = menu.command(group, "create", "Make an empty database and print its id",
                               "godwit db create runs --backend rocksdb --options '{\"compression\": \"lz4\"}'");
  const auto options = std::make_shared<CreateOptions>();
  app->add_option("NAME", options->name, "Its name, unique on its node")->required();
  app->add_option("--backend", options->backend, "map (in memory), rocksdb, leveldb or lmdb; default map")->type_name("NAME");
  app->add_option("--options", options->options, "Of the backend, a JSON object")->type_name("JSON");
  menu.on_run(app, [&session, options] { return create(session, *options); });
}

void add_values(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  CLI::App* put_app =
      menu.command(group, "put", "Store a value, by default standard input", "godwit db put runs 42 < result.json");
  const auto put_options = std::make_shared<PutOptions>();
  add_key(put_app, put_options->key);
  put_app->add_option("--file", put_options->file, "Read the value from this file")->type_name("FILE");
  CLI::Option* value = put_app->add_option("--value", put_options->value, "The value itself")->type_name("TEXT");
  put_app->add_flag("--persist", put_options->persist, "Make it durable before returning");
  put_app->parse_complete_callback([put_options, value] { put_options->value_given = value->count() > 0; });
  menu.on_run(put_app, [&session, put_options] { return put(session, *put_options); });

  CLI::App* get_app = menu.command(group, "get", "Write a value to standard output", "godwit db get runs 42 > result.json");
  const auto get_options = std::make_shared<GetOptions>();
  add_key(get_app, get_options->key);
  get_app->add_option("--file", get_options->file, "Write (over) this file instead of standard output")->type_name("FILE");
  menu.on_run(get_app, [&session, get_options] { return get(session, *get_options); });

  CLI::App* erase_app =
      menu.command(group, "erase", "Erase a key; one that is not there is no error", "godwit db erase runs 42");
  const auto key = std::make_shared<Key>();
  add_key(erase_app, *key);
  menu.on_run(erase_app, [&session, key] {
    const std::string bytes = key->bytes();
    check(godwit_database_erase(open(session, key->database).get(), bytes.data(), bytes.size()));
    if (session.json) print_json({{"key", bytes}, {"key_hex", hex_of(bytes.data(), bytes.size())}});
    return 0;
  });
}

void add_listings(Menu& menu, CLI::App* group) {
  Session& session = menu.session();
  const auto options = std::make_shared<KeysOptions>();
  CLI::App* keys_app =
      menu.command(group, "keys", "List keys in the order of their bytes", "godwit db keys runs --prefix 2026- --limit 100");
  CLI::App* count_app = menu.command(group, "count", "Count keys", "godwit db count runs --prefix 2026-");
  for (CLI::App* app : {keys_app, count_app}) {
    app->add_option("DB", options->database, "Id or name")->required();
    app->add_option("--prefix", options->prefix, "Only keys that begin so")->type_name("KEY");
    app->add_flag("--hex", options->is_hex, "Keys are hexadecimal digits, given and printed");
  }
  keys_app->add_option("--after", options->from, "Only keys after this one")->type_name("KEY");
  keys_app->add_option("--limit", options->limit, "At most so many; default: all")->type_name("N");
  menu.on_run(keys_app, [&session, options] { return keys(session, *options); });
  menu.on_run(count_app, [&session, options] { return count(session, *options); });
}

}  // namespace

void add_database_commands(Menu& menu) {
  Session& session = menu.session();
  CLI::App* group = menu.group("db", "Key/value databases: make, fill, read, list, destroy",
                               "godwit db put runs 42 --value done --node tcp://n1:7411");
  add_create(menu, group);
  CLI::App* ls = menu.command(group, "ls", "List the databases of a node", "godwit db ls");
  menu.on_run(ls, [&session] { return list(session); });

  CLI::App* stat = menu.command(group, "stat", "Show a database, wherever it now is", "godwit db stat runs");
  const auto name = std::make_shared<std::string>();
  stat->add_option("DB", *name, "Id or name")->required();
  menu.on_run(stat, [&session, name] {
    print_database(session, open(session, *name).get());
    return 0;
  });
  add_change_mode(menu, group, "DB", "godwit db chmod 660 runs", change_mode);
  add_values(menu, group);
  add_listings(menu, group);

  CLI::App* destroy_app = menu.command(group, "destroy", "Erase a database with all that is in it",
                                       "godwit db destroy --dry-run runs\n  godwit db destroy runs");
  const auto dry_run = std::make_shared<bool>(false);
  destroy_app->add_option("DB", *name, "Id or name")->required();
  destroy_app->add_flag("--dry-run", *dry_run, "Only say what would be destroyed");
  menu.on_run(destroy_app, [&session, name, dry_run] { return destroy(session, *name, *dry_run); });
}

}  // namespace godwit::cli
