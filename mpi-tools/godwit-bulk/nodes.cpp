#include "godwit-bulk/nodes.hpp"

#include <fmt/format.h>
#include <godwit/godwit.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "common/node_list.hpp"
#include "godwit-bulk/client.hpp"

namespace godwit::bulk {
namespace {

constexpr size_t kAskedAtOnce = 32;
constexpr size_t kNamed = 20;  // Of the nodes that do not answer.

struct Answer {
  int error = GODWIT_OK;
  std::string text;
};

std::vector<Answer> ask_all(const std::vector<std::string>& addresses) {
  std::vector<Answer> answers(addresses.size());
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < std::min(kAskedAtOnce, addresses.size()); ++i)
    threads.emplace_back([&] {
      godwit_client* opened = nullptr;
      const int error = godwit_client_open(nullptr, &opened);
      const Client client(opened);
      for (size_t at = next++; at < addresses.size(); at = next++) {
        answers[at].error = error ? error : godwit_ping(client.get(), addresses[at].c_str(), nullptr);
        if (answers[at].error) answers[at].text = godwit_last_error();
      }
    });
  for (std::thread& thread : threads) thread.join();
  return answers;
}

void require_answers(const Nodes& nodes) {
  std::vector<std::string> all = nodes.from;
  for (const std::string& address : nodes.to)
    if (std::find(nodes.from.begin(), nodes.from.end(), address) == nodes.from.end()) all.push_back(address);
  const std::vector<Answer> answers = ask_all(all);
  int first = GODWIT_OK;
  size_t silent = 0;
  std::string text;
  for (size_t i = 0; i < all.size(); ++i) {
    if (answers[i].error == GODWIT_OK) continue;
    if (first == GODWIT_OK) first = answers[i].error;
    if (++silent <= kNamed) text += fmt::format("\n  {}: {}", all[i], answers[i].text);
  }
  if (silent > kNamed) text += fmt::format("\n  and {} more", silent - kNamed);
  if (silent) throw Refused(first, fmt::format("{} of {} nodes do not answer; nothing was moved:{}", silent, all.size(), text));
}

}  // namespace

Nodes find_nodes(const Options& options) {
  Nodes nodes{tools::addresses_of(options.from, options.provider, options.port),
              tools::addresses_of(options.to, options.provider, options.port)};
  require_answers(nodes);
  return nodes;
}

std::vector<uint16_t> Nodes::itself() const {
  std::vector<uint16_t> same(from.size(), kNoNode);
  for (size_t i = 0; i < from.size(); ++i) {
    const auto there = std::find(to.begin(), to.end(), from[i]);
    if (there != to.end()) same[i] = static_cast<uint16_t>(there - to.begin());
  }
  return same;
}

std::string directory_of(const std::string& to_root, const std::string& source) {
  std::string name = source.substr(source.find("://") + 3);
  for (char& byte : name)
    if (byte == ':' || byte == '/' || byte == '[' || byte == ']') byte = '-';
  std::string directory = to_root;
  for (size_t at = 0; (at = directory.find("%n", at)) != std::string::npos; at += name.size()) directory.replace(at, 2, name);
  return directory;
}

}  // namespace godwit::bulk
