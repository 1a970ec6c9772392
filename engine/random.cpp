#include "engine/random.h"

#include <cmath>
#include <numbers>

#include "engine/error.h"

namespace engine {

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * counter[0];
    const uint64_t p1 = uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<uint32_t>(p1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(p1),
               static_cast<uint32_t>(p0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(p0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

Random::Random(uint64_t seed, uint32_t a, uint32_t b, uint32_t c)
    : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)}, counter_{0, a, b, c} {}

uint32_t Random::bits() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[used_++];
}

double Random::uniform() {
  const uint64_t high = bits() >> 5, low = bits() >> 6;
  return static_cast<double>((high << 26) | low) * 0x1p-53;
}

double Random::uniform(double low, double high) { return low + (high - low) * uniform(); }

int64_t Random::below(int64_t count) {
  require(count >= 1 && count <= int64_t{1} << 32,
          "Random::below: count must be in 1..2^32, found ", count);
  // Lemire's method (2019): multiply and shift, drawing again in the few cases that would add bias.
  const uint64_t range = static_cast<uint64_t>(count);
  const uint64_t reject = (uint64_t{1} << 32) % range;
  for (;;) {
    const uint64_t product = uint64_t{bits()} * range;
    if ((product & 0xFFFFFFFF) >= reject) return static_cast<int64_t>(product >> 32);
  }
}

double Random::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

bool Random::chance(double probability) { return uniform() < probability; }

uint64_t hash_name(std::string_view text, uint64_t before) {
  uint64_t hash = before;
  for (const unsigned char byte : text) hash = (hash ^ byte) * 0x100000001B3;
  return hash;
}

}  // namespace engine
