// Client: owners of the C API's handles.
#pragma once

#include <godwit/godwit.h>

#include <memory>

#include "godwit-bulk/refused.hpp"

namespace godwit::bulk {

struct CloseHandle {
  void operator()(godwit_client* client) const { godwit_client_close(client); }
  void operator()(godwit_target* target) const { godwit_target_close(target); }
  void operator()(godwit_database* database) const { godwit_database_close(database); }
  void operator()(godwit_migration* migration) const { godwit_migration_close(migration); }
};
struct FreeList {
  void operator()(void* list) const { godwit_free(list); }
};
// What an API call allocated.
template <class T>
using List = std::unique_ptr<T[], FreeList>;
using Client = std::unique_ptr<godwit_client, CloseHandle>;
using Target = std::unique_ptr<godwit_target, CloseHandle>;
using Database = std::unique_ptr<godwit_database, CloseHandle>;
using Migration = std::unique_ptr<godwit_migration, CloseHandle>;

// On rank 0, before anything moves: throws Refused with the reason of the call that failed last.
inline void require(int error) {
  if (error != GODWIT_OK) throw Refused(error, godwit_last_error());
}

// The same; with the API's own defaults.
inline Client open_client() {
  godwit_client* opened = nullptr;
  require(godwit_client_open(nullptr, &opened));
  return Client(opened);
}

}  // namespace godwit::bulk
