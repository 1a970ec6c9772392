// Runs every fuzz target on its seeds and on damaged copies of them, without a fuzzer.
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

#include "engine/random.h"
#include "tests/fuzz/targets.h"

namespace fuzz {

void PrintTo(const Target& target, std::ostream* out) { *out << target.name; }

namespace {

constexpr int kRounds = 1000;  // damaged copies per target

class Replay : public testing::TestWithParam<Target> {};

// Overwrites, removes or doubles a few bytes, or cuts off the end.
std::vector<uint8_t> damaged(std::vector<uint8_t> bytes, engine::Random& random) {
  const auto place = [&] {
    return random.below(std::max<int64_t>(1, static_cast<int64_t>(bytes.size())));
  };
  for (int64_t change = random.below(4); change >= 0 && !bytes.empty(); --change) {
    const auto at = bytes.begin() + place();
    const int64_t length = std::min<int64_t>(1 + random.below(16), bytes.end() - at);
    switch (random.below(6)) {
      case 0:
        *at = static_cast<uint8_t>(random.below(256));
        break;
      case 1:
        *at ^= static_cast<uint8_t>(1 << random.below(8));
        break;
      case 2:
        std::fill_n(at, length, random.below(2) == 0 ? uint8_t{0} : uint8_t{255});
        break;
      case 3:
        bytes.erase(at, at + length);
        break;
      case 4: {
        const std::vector<uint8_t> copy(at, at + length);
        bytes.insert(at, copy.begin(), copy.end());
        break;
      }
      default:
        bytes.resize(static_cast<size_t>(place()));
    }
  }
  return bytes;
}

TEST_P(Replay, NeverDoesWorseThanThrowing) {
  const std::vector<std::vector<uint8_t>> seeds = seeds_of(GetParam());
  ASSERT_FALSE(seeds.empty());
  for (const std::vector<uint8_t>& seed : seeds) GetParam().run(seed);
  GetParam().run({});
  engine::Random random(engine::hash_name(GetParam().name));
  for (int round = 0; round < kRounds; ++round) {
    const auto index = static_cast<size_t>(random.below(static_cast<int64_t>(seeds.size())));
    GetParam().run(damaged(seeds[index], random));
  }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, testing::ValuesIn(targets()),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace fuzz
