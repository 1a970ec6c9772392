#include "pixpro/data/sources/fingerprint.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "engine/arithmetic.h"
#include "engine/random.h"

namespace pixpro {
namespace {

constexpr int64_t kMostSizes = 4096;

uint64_t add(uint64_t hash, int64_t number) {
  std::array<char, 8> bytes;
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(number >> (8 * i));
  return engine::hash_name({bytes.data(), bytes.size()}, hash);
}

}  // namespace

std::string fingerprint_of(const Source& source) {
  uint64_t hash = engine::kHashOfNothing;
  const int64_t every = std::max<int64_t>(1, engine::ceil_div(source.size(), kMostSizes));
  for (int64_t i = 0; i < source.size(); ++i) {
    const std::string path = source.path(i);
    hash = engine::hash_name(path, add(hash, static_cast<int64_t>(path.size())));
    if (i % every == 0) hash = add(hash, source.bytes(i));
  }
  std::array<char, 17> digits;
  std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(hash));
  return digits.data();
}

}  // namespace pixpro
