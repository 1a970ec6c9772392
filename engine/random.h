// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). A stream is identified by a seed and up to three numbers, so the same (seed,
// epoch, sample, view) yields the same numbers whatever the number of threads, ranks or restarts.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace engine {

// One Philox block: ten rounds on a 128-bit counter with a 64-bit key.
std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key);

class Random {
 public:
  // Stream (a, b, c) of `seed`; different arguments give independent streams.
  explicit Random(uint64_t seed, uint32_t a = 0, uint32_t b = 0, uint32_t c = 0);

  uint32_t bits();   // 32 uniform bits
  double uniform();  // [0, 1), 53 bits
  double uniform(double low, double high);
  int64_t below(int64_t count);     // 0 .. count - 1, without bias; count in 1 .. 2^32
  double normal();                  // mean 0, standard deviation 1 (Box-Muller)
  bool chance(double probability);  // true with this probability

 private:
  std::array<uint32_t, 2> key_;
  std::array<uint32_t, 4> counter_;
  std::array<uint32_t, 4> block_{};
  int used_ = 4;
};

constexpr uint64_t kHashOfNothing = 0xCBF29CE484222325;

// 64-bit FNV-1a hash: turns a name into the seed of a stream. before: the hash of the text that
// comes before this one, if it is hashed in pieces.
uint64_t hash_name(std::string_view text, uint64_t before = kHashOfNothing);

}  // namespace engine
