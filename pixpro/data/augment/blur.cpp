#include "pixpro/data/augment/blur.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace pixpro {
namespace {

// One output row of `count` bytes; input(offset) is the row `offset` pixels to the right or below.
// Radii 0 and 1, which small deviations need, have loops that keep the sums in registers.
template <class Rows>
void filter(const ExtendedBox& box, const Rows& input, uint8_t* __restrict out, int count) {
  const uint8_t *before = input(-box.radius - 1), *after = input(box.radius + 1);
  if (box.radius == 0) {
    const uint8_t* in = input(0);
    for (int i = 0; i < count; ++i) {
      out[i] = box.weighted(in[i], static_cast<uint32_t>(before[i] + after[i]));
    }
  } else if (box.radius == 1) {
    const uint8_t *left = input(-1), *in = input(0), *right = input(1);
    for (int i = 0; i < count; ++i) {
      out[i] = box.weighted(static_cast<uint32_t>(left[i] + in[i] + right[i]),
                            static_cast<uint32_t>(before[i] + after[i]));
    }
  } else {
    std::vector<uint32_t> sums(static_cast<size_t>(count));
    for (int offset = -box.radius; offset <= box.radius; ++offset) {
      const uint8_t* in = input(offset);
      for (int i = 0; i < count; ++i) sums[static_cast<size_t>(i)] += in[i];
    }
    for (int i = 0; i < count; ++i) {
      out[i] =
          box.weighted(sums[static_cast<size_t>(i)], static_cast<uint32_t>(before[i] + after[i]));
    }
  }
}

void blur_rows(ColorPlanes& image, const ExtendedBox& box) {
  const int margin = box.radius + 1, width = image.width;
  std::vector<uint8_t> lines[2];
  for (auto& line : lines) line.resize(static_cast<size_t>(width + 2 * margin));
  for (int64_t row = 0; row < int64_t{3} * image.height; ++row) {
    uint8_t* pixels = image.bytes.data() + row * width;
    uint8_t *in = lines[0].data() + margin, *out = lines[1].data() + margin;
    std::copy_n(pixels, width, in);
    for (int pass = 0; pass < kBlurPasses; ++pass) {
      std::fill(in - margin, in, in[0]);
      std::fill(in + width, in + width + margin, in[width - 1]);
      const bool last = pass == kBlurPasses - 1;
      filter(
          box, [&](int offset) { return in + offset; }, last ? pixels : out, width);
      std::swap(in, out);
    }
  }
}

void blur_columns(ColorPlanes& image, const ExtendedBox& box) {
  const int64_t width = image.width;
  std::vector<uint8_t> planes[2];
  for (auto& plane : planes) plane.resize(static_cast<size_t>(image.pixels()));
  for (int c = 0; c < 3; ++c) {
    const uint8_t* in = image.plane(c);
    for (int pass = 0; pass < kBlurPasses; ++pass) {
      const bool last = pass == kBlurPasses - 1;
      uint8_t* out = last ? image.plane(c) : planes[pass].data();
      for (int y = 0; y < image.height; ++y) {
        const auto row = [&](int offset) {
          return in + width * std::clamp(y + offset, 0, image.height - 1);
        };
        filter(box, row, out + width * y, image.width);
      }
      in = out;
    }
  }
}

}  // namespace

// Equations 7, 11 and 14 of the paper, with Pillow's mix of float and double.
ExtendedBox extended_box(double sigma) {
  engine::require(sigma > 0 && sigma <= 1000, "gaussian_blur: sigma must be in (0, 1000], found ",
                  sigma);
  const float deviation = static_cast<float>(sigma);
  const float variance = deviation * deviation / kBlurPasses;
  const float length = static_cast<float>(std::sqrt(12.0 * variance + 1.0));
  const float whole = static_cast<float>(std::floor((length - 1.0) / 2.0));
  float part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance);
  part /= 6 * (variance - (whole + 1) * (whole + 1));
  const float radius = whole + part;
  ExtendedBox box;
  box.radius = static_cast<int>(radius);
  const uint32_t taps = static_cast<uint32_t>(2 * box.radius + 1);
  box.inner = static_cast<uint32_t>(static_cast<float>(1 << 24) / (radius * 2 + 1));
  box.edge = ((1u << 24) - taps * box.inner) / 2;
  return box;
}

void gaussian_blur(ColorPlanes& image, double sigma) {
  const ExtendedBox box = extended_box(sigma);
  blur_rows(image, box);
  blur_columns(image, box);
}

}  // namespace pixpro
