// This file is compiled without fused multiply-add: Pillow rounds both the product and the sum.
#include "pixpro/data/augment/warp.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numbers>

namespace pixpro {
namespace {

constexpr std::array<uint8_t, 3> kFill{124, 116, 104};  // 255 * ImageNet's mean

// Rounds to 15 decimals, as Pillow does with sines and cosines.
double rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.15f", value);
  return std::strtod(text, nullptr);
}

uint8_t to_byte(double value) { return static_cast<uint8_t>(std::clamp(value, 0.0, 255.0)); }

// The value at position t between four values at positions -1, 0, 1 and 2: the cubic convolution of
// Keys (1981) with a = -1.
double cubic(double before, double first, double second, double after, double t) {
  const double slope = second - before;
  const double square = 2 * (before - first) + second - after;
  const double cube = first - before - second + after;
  return first + t * (slope + t * (square + t * cube));
}

// Interpolates in one plane. Columns and rows beyond the edge equal those at the edge.
struct Sampler {
  const uint8_t* plane;
  int width, height;

  double at(int x, int y) const {
    return plane[static_cast<int64_t>(std::clamp(y, 0, height - 1)) * width +
                 std::clamp(x, 0, width - 1)];
  }

  double linear_row(int x, int y, double t) const {
    const double left = at(x, y);
    return left + (at(x + 1, y) - left) * t;
  }

  double bilinear(int x, int y, double across, double down) const {
    const double upper = linear_row(x, y, across);
    return upper + (linear_row(x, y + 1, across) - upper) * down;
  }

  double cubic_row(int x, int y, double t) const {
    return cubic(at(x - 1, y), at(x, y), at(x + 1, y), at(x + 2, y), t);
  }

  double bicubic(int x, int y, double across, double down) const {
    return cubic(cubic_row(x, y - 1, across), cubic_row(x, y, across), cubic_row(x, y + 1, across),
                 cubic_row(x, y + 2, across), down);
  }
};

}  // namespace

AffineMap shear_map(double across, double down) { return {1, across, 0, down, 1, 0}; }

AffineMap shift_map(double right, double down) { return {1, 0, right, 0, 1, down}; }

AffineMap rotation_map(double degrees, int width, int height) {
  const double whole_turns = std::floor(degrees / 360.0) * 360.0;
  const double angle = -(degrees - whole_turns) * (std::numbers::pi / 180.0);
  const double cosine = rounded(std::cos(angle)), sine = rounded(std::sin(angle));
  const double x = width / 2.0, y = height / 2.0;  // the fixed point
  return {cosine, sine,   cosine * -x + sine * -y + 0.0 + x,
          -sine,  cosine, -sine * -x + cosine * -y + 0.0 + y};
}

void warp(ColorPlanes& image, const AffineMap& map, Interpolation interpolation) {
  const ColorPlanes input = image;
  const int width = image.width, height = image.height;
  for (int row = 0; row < height; ++row) {
    for (int column = 0; column < width; ++column) {
      const double cx = column + 0.5, cy = row + 0.5;
      const double x = map[0] * cx + map[1] * cy + map[2];
      const double y = map[3] * cx + map[4] * cy + map[5];
      const bool inside = x >= 0.0 && x < width && y >= 0.0 && y < height;
      const double left = std::floor(x - 0.5), top = std::floor(y - 0.5);
      const double across = x - 0.5 - left, down = y - 0.5 - top;
      const int64_t pixel = static_cast<int64_t>(row) * width + column;
      for (int c = 0; c < 3; ++c) {
        uint8_t& out = image.plane(c)[pixel];
        if (!inside) {
          out = kFill[static_cast<size_t>(c)];
          continue;
        }
        const Sampler sampler{input.plane(c), width, height};
        const int x0 = static_cast<int>(left), y0 = static_cast<int>(top);
        out = to_byte(interpolation == Interpolation::bilinear
                          ? sampler.bilinear(x0, y0, across, down)
                          : sampler.bicubic(x0, y0, across, down));
      }
    }
  }
}

}  // namespace pixpro
