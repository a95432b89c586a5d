// PrivateDirectory: where a job's trees wait, next to where they are or will be; nobody else has put anything into it.
#pragma once

#include <string>

#include "objects/files/beneath.hpp"

namespace godwit::objects {

// Opens the directory `name` in `place`, which was made for this thread's user alone (ActAs), for reading. Who may write
// `place` may have put another one there: one that is not its user's, or that others may enter, is refused. `shown`: of
// `place`, for errors. Errors: kNotFound, kDenied, kIo.
Result<UniqueFd> open_private(int place, const std::string& name, const std::string& shown);
// Removes it with all that is in it; no error if it is not there. Errors: the same, and as remove_tree().
Result<> remove_private(int place, const std::string& name, const std::string& shown);

}  // namespace godwit::objects
