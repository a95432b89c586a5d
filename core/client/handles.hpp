// Handles: what the opaque types of godwit.h are.
#pragma once

#include <memory>
#include <string>

#include "client/client.hpp"
#include "client/database.hpp"
#include "client/migration.hpp"
#include "client/region.hpp"
#include "fabric/address.hpp"
#include "godwit/godwit.h"

struct godwit_client {
  godwit::client::Client client;
};

// Constant after construction.
struct godwit_target {
  godwit::client::Client& client;
  godwit::fabric::Address address;
  std::string name;
};

struct godwit_region {
  godwit::client::Region region;
};

struct godwit_database {
  godwit::client::Database database;
};

struct godwit_migration {
  godwit::client::Migration migration;
};
