// Nodes: what the daemons hold of stages, and where they have room.
#pragma once

#include <godwit/godwit.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "godwit-h5stage/names.hpp"
#include "godwit-h5stage/parts.hpp"
#include "godwit-h5stage/stage.hpp"

namespace godwit::h5stage {

// One region of a stage.
struct Held {
  OfStage of;
  std::string address;
  godwit::RegionInfo info;
};

// One thread. Functions throw godwit::Error as the API does, and Failure.
class Nodes {
 public:
  // Each once. Connects to nobody yet.
  explicit Nodes(const std::vector<std::string>& addresses);

  const godwit::Client& client() const { return client_; }
  // The targets called `target`, one a node; empty: the only one that a node has. Throws Failure: NOT_FOUND, a node has none of
  // that name; INVALID, it has several and none was named.
  std::vector<Place> places(const std::string& target) const;
  // All regions of all stages, or of one.
  std::vector<Held> held() const;
  std::vector<Held> held(const std::string& stage) const;

 private:
  std::vector<std::string> addresses_;
  godwit::Client client_;
};

// The head that tells what the stage is, of all its regions: its own, or that of a run which was killed while it replaced it.
// Null: it is not whole. Throws Failure: EXISTS, there are several.
const Held* head_of(const std::vector<Held>& held, const std::string& stage);
// All bytes of a head.
std::string read_head(const Nodes& nodes, const Held& head);

// Erases them, heads first, so that nobody takes what is left for a stage. Throws at the first that is not erased; one that is
// gone already is no error.
void erase_stage(const Nodes& nodes, std::vector<Held> regions);

// Where each part is now, by its id, or else by its name (a copy), into `stage`. Throws Failure: NOT_FOUND or CORRUPT, one is
// missing or has another size.
void find_parts(const Nodes& nodes, const std::vector<Held>& held, Stage& stage);

// Regions that this rank has made for a stage that is not finished.
class Made {
 public:
  void add(const std::string& address, godwit::Region region) { regions_.push_back({address, std::move(region)}); }
  // Returns how many could not be erased. Does not throw; waits no second time for a node that does not answer.
  size_t erase();

 private:
  struct One {
    std::string address;
    godwit::Region region;
  };
  std::vector<One> regions_;
};

}  // namespace godwit::h5stage
