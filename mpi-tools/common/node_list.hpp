// NodeList: the nodes that a list stands for, in commas and in Slurm's brackets. Pure but for addresses_of().
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace godwit::tools {

constexpr size_t kNodesMax = 65536;

// "n1,node[01-03,7]" is n1, node01, node02, node03 and node7; "tcp://r[1-2]n[1-2]:7411" is four addresses. Numbers are as wide
// as the first of their range. What is in brackets and no list of numbers stays as it is: "tcp://[::1]:7411". In the order of
// the list, also what is there twice. Throws Refused: INVALID, a bracket that does not close, a range without numbers or one
// that runs backwards, an empty name; LIMIT, more than kNodesMax.
std::vector<std::string> expand_nodes(std::string_view list);

// The address of a node: what its name does not say is taken from `provider` and `port` (0: none was given). "n1" with "tcp"
// and 7411 is "tcp://n1:7411"; a whole address stays as it is. Throws Refused: INVALID, it has no port and none was given.
std::string address_of(std::string_view node, std::string_view provider, uint32_t port);

// The addresses of all these lists, each once, in their order; of one that begins with '@' what is in the file of that name: in
// commas and lines, '#' begins a comment. Throws Refused: as both above; IO, a file that cannot be read; INVALID, it names no
// node; LIMIT, kNodesMax or more.
std::vector<std::string> addresses_of(const std::vector<std::string>& lists, std::string_view provider, uint32_t port);

}  // namespace godwit::tools
