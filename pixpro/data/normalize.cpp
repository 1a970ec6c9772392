#include "pixpro/data/normalize.h"

#include <array>

namespace pixpro {
namespace {

constexpr std::array<float, 3> kMean{0.485f, 0.456f, 0.406f};
constexpr std::array<float, 3> kDeviation{0.229f, 0.224f, 0.225f};

using Tables = std::array<std::array<float, 256>, 3>;

Tables make_tables() {
  Tables tables;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v) {
      tables[c][v] = (static_cast<float>(v) / 255.0f - kMean[c]) / kDeviation[c];
    }
  }
  return tables;
}

}  // namespace

void normalize(const Planes& image, float* out) {
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
