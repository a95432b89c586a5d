// The setting `group`: the other daemons, or the etcd that knows them.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/result.hpp"
#include "daemon/settings.hpp"

namespace godwit::daemon {

// Of a `group` that the schema has found right. Blocks to read the files that it names. Errors: kConfig, each names `origin`
// and the key that is wrong; those of a file that is named: kNotFound, kDenied, kIo.
Result<> read_group(const nlohmann::json& group, const std::string& origin, Settings& settings);

}  // namespace godwit::daemon
