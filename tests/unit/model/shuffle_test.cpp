#include "model/shuffle.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace godwit::model {
namespace {

std::vector<std::byte> noise(size_t count) {
  std::mt19937 random(1);
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Every length up to some registers of the processor: whole ones, single elements and a torn one at the end.
TEST(Shuffle, BringsBytesOfTheSamePlaceTogetherAndBack) {
  for (const uint32_t element : {1u, 2u, 4u, 8u})
    for (size_t bytes = 0; bytes < 600; ++bytes) {
      const auto from = noise(bytes);
      std::vector<std::byte> expected = from, shuffled(bytes), back(bytes);
      const size_t elements = bytes / element;
      for (size_t i = 0; i < elements; ++i)
        for (size_t byte = 0; byte < element; ++byte) expected[byte * elements + i] = from[i * element + byte];
      shuffle(element, from, shuffled);
      ASSERT_EQ(shuffled, expected) << bytes << " bytes in elements of " << element;
      unshuffle(element, shuffled, back);
      ASSERT_EQ(back, from) << bytes << " bytes in elements of " << element;
    }
}

TEST(Shuffle, KnowsItsElements) {
  for (uint32_t bytes = 0; bytes < 300; ++bytes)
    EXPECT_EQ(is_element_size(bytes), bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8) << bytes;
}

}  // namespace
}  // namespace godwit::model
