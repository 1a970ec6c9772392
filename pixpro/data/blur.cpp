#include "pixpro/data/blur.h"

#include <algorithm>
#include <cmath>

#include "engine/error.h"

namespace pixpro {
namespace {

constexpr int kPasses = 3;

// out = inner * (sum of the 2 * radius + 1 values around) + edge * (the one before and the one
// after them), in fixed point of 24 bits.
struct ExtendedBox {
  int radius;
  uint32_t inner, edge;
};

// Equations 7, 11 and 14 of the paper, in Pillow's mix of float and double.
ExtendedBox extended_box(float sigma) {
  const float variance = sigma * sigma / kPasses;
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

// One output row from 2 * radius + 3 input rows of `values` bytes, `step` bytes apart for the
// horizontal direction (where they overlap) or anywhere for the vertical one.
template <class Row>
void filter(const ExtendedBox& box, Row input, uint8_t* out, int64_t values,
            std::vector<uint32_t>& sums) {
  const uint8_t* before = input(-box.radius - 1);
  const uint8_t* after = input(box.radius + 1);
  sums.assign(static_cast<size_t>(values), 0);
  uint32_t* sum = sums.data();
  for (int offset = -box.radius; offset <= box.radius; ++offset) {
    const uint8_t* in = input(offset);
    for (int64_t i = 0; i < values; ++i) sum[i] += in[i];
  }
  for (int64_t i = 0; i < values; ++i) {
    const uint32_t ends = static_cast<uint32_t>(before[i]) + after[i];
    out[i] = static_cast<uint8_t>((sum[i] * box.inner + ends * box.edge + (1u << 23)) >> 24);
  }
}

void blur_rows(Image& image, const ExtendedBox& box) {
  const int64_t values = int64_t{3} * image.width, margin = int64_t{3} * (box.radius + 1);
  std::vector<uint8_t> padded(static_cast<size_t>(values + 2 * margin));
  std::vector<uint32_t> sums;
  uint8_t* line = padded.data() + margin;
  for (int y = 0; y < image.height; ++y) {
    uint8_t* row = image.row(y);
    for (int pass = 0; pass < kPasses; ++pass) {
      std::copy_n(row, values, line);
      for (int64_t i = 1; i <= margin; ++i) {
        line[-i] = row[2 - (i - 1) % 3];
        line[values + i - 1] = row[values - 3 + (i - 1) % 3];
      }
      filter(
          box, [&](int offset) { return line + 3 * offset; }, row, values, sums);
    }
  }
}

void blur_columns(Image& image, const ExtendedBox& box) {
  Image input(image.width, image.height);
  std::vector<uint32_t> sums;
  for (int pass = 0; pass < kPasses; ++pass) {
    std::swap(image.rgb, input.rgb);
    for (int y = 0; y < image.height; ++y) {
      const auto row = [&](int offset) {
        return input.row(std::clamp(y + offset, 0, input.height - 1));
      };
      filter(box, row, image.row(y), int64_t{3} * image.width, sums);
    }
  }
}

}  // namespace

void gaussian_blur(Image& image, double sigma) {
  engine::require(sigma > 0 && sigma <= 1000, "gaussian_blur: sigma must be in (0, 1000], found ",
                  sigma);
  const ExtendedBox box = extended_box(static_cast<float>(sigma));
  blur_rows(image, box);
  blur_columns(image, box);
}

}  // namespace pixpro
