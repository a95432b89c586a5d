// Resolver: the thread that ends jobs in doubt: reaches for their peers again and again until the outcome is known.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "engine/domains.hpp"
#include "engine/inbound_table.hpp"
#include "engine/job_table.hpp"
#include "engine/settings.hpp"

namespace godwit::engine {

class Resolver {
 public:
  Resolver(const EngineSettings& settings, Domains& domains, JobTable& outbound, InboundTable& inbound);
  ~Resolver();

 private:
  void run();
  void ask_source(InboundJob& job);
  bool hears_decision(InboundJob& job);

  const EngineSettings settings_;
  Domains& domains_;
  JobTable& outbound_;
  InboundTable& inbound_;
  std::mutex mutex_;  // Guards stopping_.
  std::condition_variable stop_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace godwit::engine
