// Replaced: a stage that another one takes the place of, without a moment at which neither is whole.
//
// Its parts and its head stay until the new one's parts are durable. Then the new head is made under another name; the old head
// goes; the new one is made under its own; what is left of the old stage goes. Where a stage has no head, the other one is it.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "godwit-h5stage/nodes.hpp"
#include "godwit-h5stage/parts.hpp"

namespace godwit::h5stage {

// What it is made of, and what runs that came to nothing have left.
struct Replaced {
  std::vector<Held> whole, rest;
};

// One thread. Functions throw godwit::Error as the API does, and Failure.

// `held`: all of the stage. A head that cannot be read keeps everything: nobody knows what is its own. Throws Failure: EXISTS,
// there are several heads.
Replaced split_held(const Nodes& nodes, std::vector<Held> held, const std::string& name);
// Of `parts` parts to come: none of them may have the name of one that is there.
size_t first_number(const std::vector<Held>& there, size_t parts);
// Where a run was killed between the heads, the one that was to come is made the stage's own.
void finish_swap(const Nodes& nodes, const std::string& name, Replaced& old);
// Makes the head. If nobody knows whether it was made, it is erased.
void make_head(const Nodes& nodes, const Place& place, const std::string& name, const std::string& head);
// The head, which is there under next_head_name() at `next_place`, takes the old one's place. What fails here leaves one of the
// two whole, and the next run with --force goes on from there.
void show_instead(const Nodes& nodes, const Replaced& old, const std::string& name, const Place& place, const Place& next_place,
                  const std::string& head);

}  // namespace godwit::h5stage
