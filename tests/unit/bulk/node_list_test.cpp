#include "common/node_list.hpp"

#include <godwit/godwit.h>
#include <gtest/gtest.h>

#include "common/refused.hpp"

namespace godwit::tools {
namespace {

using Names = std::vector<std::string>;

int error_of(const std::string& list) {
  try {
    expand_nodes(list);
  } catch (const Refused& refused) {
    EXPECT_NE(std::string(refused.what()).find(list.substr(0, 20)), std::string::npos) << refused.what();
    return refused.error();
  }
  return GODWIT_OK;
}

TEST(NodeList, NamesAreSplitAtCommas) {
  EXPECT_EQ(expand_nodes("n1"), Names{"n1"});
  EXPECT_EQ(expand_nodes("n1,n2,n1"), (Names{"n1", "n2", "n1"}));
}

TEST(NodeList, BracketsAreRangesAsSlurmWritesThem) {
  EXPECT_EQ(expand_nodes("node[01-03,7]"), (Names{"node01", "node02", "node03", "node7"}));
  EXPECT_EQ(expand_nodes("n[8-11]"), (Names{"n8", "n9", "n10", "n11"}));
  EXPECT_EQ(expand_nodes("n[098-101]"), (Names{"n098", "n099", "n100", "n101"}));
  EXPECT_EQ(expand_nodes("a[1-2],b,c[3]"), (Names{"a1", "a2", "b", "c3"}));
  EXPECT_EQ(expand_nodes("r[1-2]n[1-2]"), (Names{"r1n1", "r1n2", "r2n1", "r2n2"}));
}

TEST(NodeList, AddressesKeepTheirSchemePortAndIpv6Brackets) {
  EXPECT_EQ(expand_nodes("tcp://n[1-2].cluster:7411"), (Names{"tcp://n1.cluster:7411", "tcp://n2.cluster:7411"}));
  EXPECT_EQ(expand_nodes("tcp://[::1]:7411,tcp://[fe80::1]:7411"), (Names{"tcp://[::1]:7411", "tcp://[fe80::1]:7411"}));
}

TEST(NodeList, WhatIsNoListIsRefused) {
  for (const char* list : {"", ",", "n1,", "n[1-2", "n[", "n[]", "n[1-]", "n[-1]", "n[2-1]", "n[a-b]", "n[1,]", "n[1 -2]",
                           "n1 n2", "tcp://", "n[12345678901]"})
    EXPECT_EQ(error_of(list), GODWIT_ERR_INVALID) << list;
}

TEST(NodeList, MoreThanTheMostIsRefused) {
  EXPECT_EQ(expand_nodes("n[1-65536]").size(), kNodesMax);
  EXPECT_EQ(error_of("n[1-65537]"), GODWIT_ERR_LIMIT);
  EXPECT_EQ(error_of("a[0-99999999]b[0-99999999]"), GODWIT_ERR_LIMIT);
}

TEST(NodeList, ANameGetsTheProviderAndThePort) {
  EXPECT_EQ(address_of("n1", "tcp", 7411), "tcp://n1:7411");
  EXPECT_EQ(address_of("n1:7000", "verbs", 7411), "verbs://n1:7000");
  EXPECT_EQ(address_of("tcp://n1", "verbs", 7411), "tcp://n1:7411");
  EXPECT_EQ(address_of("tcp://n1:7000", "verbs", 7411), "tcp://n1:7000");
  EXPECT_EQ(address_of("[::1]", "tcp", 7411), "tcp://[::1]:7411");
  EXPECT_EQ(address_of("tcp://[::1]:7000", "tcp", 7411), "tcp://[::1]:7000");
  EXPECT_EQ(address_of("shm://here", "tcp", 7411), "shm://here");
}

TEST(NodeList, ANameWithoutAnyPortIsRefused) {
  EXPECT_THROW(address_of("n1", "tcp", 0), Refused);
  EXPECT_THROW(address_of("tcp://[::1]", "tcp", 0), Refused);
}

}  // namespace
}  // namespace godwit::tools
