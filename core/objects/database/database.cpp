#include "objects/database/database.hpp"

namespace godwit::objects {

Result<> Database::open_from(Opening opening, const std::string& other_directory) {
  auto backend = open_backend(identity.kind, other_directory, identity.options, opening);
  if (!backend) {
    closed_ = with_context(describe(), std::move(backend).error());
    return closed_;
  }
  auto opened = std::make_unique<Opened>(std::move(*backend));
  if (auto recovered = opened->documents.recover(); !recovered) {
    closed_ = with_context(describe(), std::move(recovered).error());
    return closed_;
  }
  opened_ = std::move(opened);
  return Done{};
}

void Database::close() {
  opened_.reset();
  closed_ = Error{Errc::kNotFound, describe() + " is gone"};
}

Result<Database::Contents> Database::contents() {
  if (!opened_) return closed_;
  return Contents{*opened_->backend, opened_->pairs, opened_->documents};
}

}  // namespace godwit::objects
