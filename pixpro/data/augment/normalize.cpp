#include "pixpro/data/augment/normalize.h"

namespace pixpro {
namespace {

using Tables = std::array<std::array<float, 256>, 3>;

Tables make_tables() {
  Tables tables;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v) {
      tables[c][v] = normalized(static_cast<int>(v), kImageNetMean[c], kImageNetDeviation[c]);
    }
  }
  return tables;
}

}  // namespace

void normalize(const ColorPlanes& image, float* out) {
  static const Tables tables = make_tables();
  const int64_t pixels = image.pixels();
  for (int c = 0; c < 3; ++c) {
    const std::array<float, 256>& table = tables[static_cast<size_t>(c)];
    const uint8_t* in = image.plane(c);
#pragma GCC unroll 8
    for (int64_t p = 0; p < pixels; ++p) out[p] = table[in[p]];
    out += pixels;
  }
}

}  // namespace pixpro
