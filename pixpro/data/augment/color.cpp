// Plain loops over bytes, which the compiler vectorises. This file is compiled without fused
// multiply-add: Pillow rounds both the product and the sum.
#include "pixpro/data/augment/color.h"

#include "pixpro/data/augment/pixel_math.h"

namespace pixpro {
namespace {

void blend_with_level(ColorPlanes& image, int level, double factor) {
  const float f = static_cast<float>(factor);
  uint8_t* bytes = image.bytes.data();
  const int64_t count = 3 * image.pixels();
  for (int64_t i = 0; i < count; ++i) bytes[i] = static_cast<uint8_t>(blend(level, bytes[i], f));
}

// Every pixel becomes f(pixel).
template <class F>
void map(ColorPlanes& image, const F& f) {
  uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int64_t pixels = image.pixels();
#pragma omp simd
  for (int64_t p = 0; p < pixels; ++p) {
    const Rgb out = f(Rgb{r[p], g[p], b[p]});
    r[p] = static_cast<uint8_t>(out.r);
    g[p] = static_cast<uint8_t>(out.g);
    b[p] = static_cast<uint8_t>(out.b);
  }
}

}  // namespace

void adjust_brightness(ColorPlanes& image, double factor) { blend_with_level(image, 0, factor); }

void adjust_contrast(ColorPlanes& image, double factor) {
  const uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int64_t pixels = image.pixels();
  int64_t sum = 0;
  for (int64_t begin = 0; begin < pixels; begin += 4096) {
    const int64_t end = std::min(begin + 4096, pixels);
    uint32_t part = 0;
    for (int64_t p = begin; p < end; ++p) part += static_cast<uint32_t>(luma({r[p], g[p], b[p]}));
    sum += part;
  }
  const double mean = static_cast<double>(sum) / static_cast<double>(pixels);
  blend_with_level(image, static_cast<int>(mean + 0.5), factor);
}

void adjust_saturation(ColorPlanes& image, double factor) {
  const float f = static_cast<float>(factor);
  map(image, [f](Rgb c) { return blend(luma(c), c, f); });
}

void adjust_hue(ColorPlanes& image, double shift) {
  const int steps = hue_steps(shift);
  map(image, [steps](Rgb c) { return turn_hue(c, steps); });
}

void to_grayscale(ColorPlanes& image) {
  map(image, [](Rgb c) {
    const int gray = luma(c);
    return Rgb{gray, gray, gray};
  });
}

}  // namespace pixpro
