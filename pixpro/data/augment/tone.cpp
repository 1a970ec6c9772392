// This file is compiled without fused multiply-add: Pillow rounds both the product and the sum.
#include "pixpro/data/augment/tone.h"

#include <algorithm>
#include <array>

#include "pixpro/data/augment/pixel_math.h"

namespace pixpro {
namespace {

using Table = std::array<uint8_t, 256>;
using Histogram = std::array<int64_t, 256>;

template <class F>
Table make_table(const F& f) {
  Table table;
  for (int v = 0; v < 256; ++v) table[static_cast<size_t>(v)] = static_cast<uint8_t>(f(v));
  return table;
}

void look_up(uint8_t* values, int64_t count, const Table& table) {
  for (int64_t i = 0; i < count; ++i) values[i] = table[values[i]];
}

void look_up(ColorPlanes& image, const Table& table) {
  look_up(image.bytes.data(), 3 * image.pixels(), table);
}

Histogram histogram(const uint8_t* values, int64_t count) {
  Histogram counts{};
  for (int64_t i = 0; i < count; ++i) ++counts[values[i]];
  return counts;
}

Table stretching_table(const Histogram& counts) {
  int low = 0, high = 255;
  while (low < 255 && counts[static_cast<size_t>(low)] == 0) ++low;
  while (high > 0 && counts[static_cast<size_t>(high)] == 0) --high;
  if (high <= low) return make_table([](int v) { return v; });
  const double scale = 255.0 / (high - low), offset = -low * scale;
  return make_table(
      [&](int v) { return std::clamp(static_cast<int>(v * scale + offset), 0, 255); });
}

Table equalizing_table(const Histogram& counts) {
  int64_t sum = 0, last = 0, levels = 0;
  for (const int64_t count : counts) {
    if (count == 0) continue;
    sum += count;
    last = count;
    ++levels;
  }
  const int64_t step = levels <= 1 ? 0 : (sum - last) / 255;
  if (step == 0) return make_table([](int v) { return v; });
  int64_t below = step / 2;
  return make_table([&](int v) {
    const int64_t level = below / step;
    below += counts[static_cast<size_t>(v)];
    return std::min<int64_t>(level, 255);
  });
}

// Five times the pixel plus its eight neighbours, divided by 13 and rounded; ties cannot occur.
uint8_t smoothed(const uint8_t* pixel, int64_t width) {
  int sum = 4 * pixel[0];
  for (const int64_t row : {-width, int64_t{0}, width}) {
    for (int64_t column = -1; column <= 1; ++column) sum += pixel[row + column];
  }
  return static_cast<uint8_t>((2 * sum + 13) / 26);
}

}  // namespace

void solarize(ColorPlanes& image, int threshold) {
  uint8_t* values = image.bytes.data();
  const int64_t count = 3 * image.pixels();
  for (int64_t i = 0; i < count; ++i) {
    values[i] = static_cast<uint8_t>(solarized(values[i], threshold));
  }
}

void solarize_add(ColorPlanes& image, int amount) {
  look_up(image, make_table([&](int v) { return v < 128 ? std::min(v + amount, 255) : v; }));
}

void invert(ColorPlanes& image) {
  for (uint8_t& value : image.bytes) value = static_cast<uint8_t>(255 - value);
}

void posterize(ColorPlanes& image, int bits) {
  const auto mask = static_cast<uint8_t>(0xFF00 >> bits);
  for (uint8_t& value : image.bytes) value &= mask;
}

void autocontrast(ColorPlanes& image) {
  for (int c = 0; c < 3; ++c) {
    uint8_t* plane = image.plane(c);
    look_up(plane, image.pixels(), stretching_table(histogram(plane, image.pixels())));
  }
}

void equalize(ColorPlanes& image) {
  for (int c = 0; c < 3; ++c) {
    uint8_t* plane = image.plane(c);
    look_up(plane, image.pixels(), equalizing_table(histogram(plane, image.pixels())));
  }
}

void adjust_sharpness(ColorPlanes& image, double factor) {
  const auto f = static_cast<float>(factor);
  const int64_t width = image.width;
  const ColorPlanes input = image;
  for (int c = 0; c < 3; ++c) {
    for (int64_t y = 1; y < image.height - 1; ++y) {
      const uint8_t* in = input.plane(c) + y * width;
      uint8_t* out = image.plane(c) + y * width;
      for (int64_t x = 1; x < width - 1; ++x) {
        const int smooth = smoothed(in + x, width);
        const float mixed = static_cast<float>(smooth) + f * static_cast<float>(in[x] - smooth);
        out[x] = static_cast<uint8_t>(std::clamp(mixed, 0.0f, 255.0f));
      }
    }
  }
}

}  // namespace pixpro
