#include "client/client.hpp"

#include <exception>

#include "client/lane.hpp"
#include "fabric/provider.hpp"
#include "identity/site_guard.hpp"

namespace godwit::client {

Lease::Lease(Client& client, std::unique_ptr<Lane> lane)
    : client_(&client), lane_(std::move(lane)), exceptions_(std::uncaught_exceptions()) {}

Lease::~Lease() {
  if (lane_ && std::uncaught_exceptions() == exceptions_) client_->give_back(std::move(lane_));
}

Client::Client(Settings settings) : settings_(settings) {}

Client::~Client() = default;

Lease Client::borrow() {
  const std::lock_guard lock(lanes_mutex_);
  if (resting_.empty()) {
    resting_.reserve(lanes_made_ + 1);  // So that give_back() never allocates.
    auto lane = std::make_unique<Lane>(*this);
    ++lanes_made_;
    return Lease(*this, std::move(lane));
  }
  std::unique_ptr<Lane> lane = std::move(resting_.back());
  resting_.pop_back();
  return Lease(*this, std::move(lane));
}

void Client::give_back(std::unique_ptr<Lane> lane) noexcept {
  const std::lock_guard lock(lanes_mutex_);
  resting_.push_back(std::move(lane));
}

Result<std::shared_ptr<fabric::Domain>> Client::domain(const std::string& provider) {
  const std::lock_guard lock(domains_mutex_);
  if (const auto known = domains_.find(provider); known != domains_.end()) return known->second;
  // No local end is named: the route to the daemon decides it.
  auto choice = fabric::choose_provider(fabric::ProviderQuery{.provider = provider, .location = {}, .require_rdma = false});
  if (!choice) return std::move(choice).error();
  if (!guard_) {
    auto guard = identity::guard_of_client();
    if (!guard) return std::move(guard).error();
    guard_ = std::move(*guard);
  }
  auto domain = fabric::Domain::open(*std::move(choice), guard_);
  if (!domain) return std::move(domain).error();
  domains_.emplace(provider, *domain);
  return *std::move(domain);
}

}  // namespace godwit::client
