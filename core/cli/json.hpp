// Json: the API's structures as JSON, and the ways in which commands print.
#pragma once

#include <godwit/godwit.h>

#include <nlohmann/json.hpp>
#include <string>

namespace godwit::cli {

using Json = nlohmann::ordered_json;

std::string to_text(godwit_region_id id);

Json to_json(const godwit_target_info& info);
Json to_json(const godwit_region_info& info);
Json to_json(const godwit_database_info& info);
Json to_json(const godwit_job_info& info);
Json to_json(const godwit_member& member);
Json to_json(const godwit_place& place);
Json to_json(const godwit_migrate_result& result);
// The constant's name, or null for GODWIT_OK.
Json error_name(int error);

// One line; invalid UTF-8 is replaced.
void print_json(const Json& json);
// To standard output, at once. Throws Failure (IO) if it cannot be written.
void print(const std::string& text);
// To standard error: the text and what to do, or an object with the code, its name, its exit code and both texts.
void print_failure(int code, const std::string& text, bool as_json);

}  // namespace godwit::cli
