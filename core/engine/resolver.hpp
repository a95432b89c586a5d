// Resolver: ends jobs in doubt: reaches for their peers again and again until the outcome is known.
//
// One thread looks which jobs those are, a few work on them, one at a time on each. So a peer that does not answer, or a file
// system that hangs, holds up the jobs that need it, and not the others: a peer that took long not to answer is left alone for
// as long.
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "engine/domains.hpp"
#include "engine/inbound_table.hpp"
#include "engine/job_table.hpp"
#include "engine/settings.hpp"

namespace godwit::engine {

class Resolver {
 public:
  // Begins at once. The tables and the domains outlive it.
  Resolver(const EngineSettings& settings, Domains& domains, JobTable& outbound, InboundTable& inbound);
  // Waits for what is under way: some seconds for a peer, and without limit for a file system.
  ~Resolver();

 private:
  // One of the two: this node is the job's source, or its destination.
  struct Task {
    std::shared_ptr<OutboundJob> outbound;
    std::shared_ptr<InboundJob> inbound;
  };
  using Key = std::pair<Id, bool>;  // A job within this node has both sides here.

  static Key key_of(const Task& task);
  static const std::string& peer_of(const Task& task);
  std::vector<Task> in_doubt();
  void look();
  void work();
  bool reach(const Task& task);
  bool hears_decision(InboundJob& job);

  const EngineSettings settings_;
  Domains& domains_;
  JobTable& outbound_;
  InboundTable& inbound_;

  std::mutex mutex_;  // Guards all below.
  std::condition_variable changed_;
  bool stopping_ = false;
  std::deque<Task> queue_;
  std::set<Key> taken_;                                  // Queued, or worked on.
  std::map<std::string, Clock::time_point> left_alone_;  // Peers, and until when.

  std::vector<std::thread> threads_;
};

}  // namespace godwit::engine
