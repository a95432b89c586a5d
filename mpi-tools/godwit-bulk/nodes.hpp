// Nodes: the addresses of --from and --to, once each, and whether somebody answers there.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "godwit-bulk/options.hpp"
#include "godwit-bulk/placement.hpp"

namespace godwit::bulk {

struct Nodes {
  std::vector<std::string> from, to;

  // Of each source, which destination has its address, or kNoNode.
  std::vector<uint16_t> itself() const;
};

// Reads the files of @FILE, expands the lists, and asks every node whether it is there, 32 at a time. Blocks, for as long as a
// node needs to be given up. Throws Refused: as expand_nodes() and address_of(); IO, a file that cannot be read; LIMIT, more
// than kNodesMax - 1; the first error of the nodes that do not answer: the text names all of them.
Nodes find_nodes(const Options& options);

// The directory of what comes from `source`: each "%n" becomes its name there, as "n1-7411" of "tcp://n1:7411".
std::string directory_of(const std::string& to_root, const std::string& source);

}  // namespace godwit::bulk
