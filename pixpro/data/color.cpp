#include "pixpro/data/color.h"

#include <algorithm>
#include <array>

namespace pixpro {
namespace {

using Table = std::array<uint8_t, 256>;

uint8_t luma(const uint8_t* pixel) {
  return static_cast<uint8_t>(
      (19595u * pixel[0] + 38470u * pixel[1] + 7471u * pixel[2] + 0x8000u) >> 16);
}

// Pillow's blend in float: the product is rounded, then the sum. The exact product of two floats
// fits a double; rounding it to float here keeps compilers from fusing it into the sum.
float scaled(float factor, int difference) {
  return static_cast<float>(static_cast<double>(factor) * difference);
}

uint8_t clip(float value) { return static_cast<uint8_t>(std::clamp(value, 0.0f, 255.0f)); }

void look_up(Image& image, const Table& table) {
  for (uint8_t& value : image.rgb) value = table[value];
}

void blend_with_level(Image& image, int level, double factor) {
  Table table;
  for (int v = 0; v < 256; ++v) {
    table[static_cast<size_t>(v)] =
        clip(static_cast<float>(level) + scaled(static_cast<float>(factor), v - level));
  }
  look_up(image, table);
}

struct Hsv {
  uint8_t hue, saturation, value;
};

Hsv to_hsv(const uint8_t* pixel) {
  const uint8_t r = pixel[0], g = pixel[1], b = pixel[2];
  const uint8_t most = std::max({r, g, b}), least = std::min({r, g, b});
  if (most == least) return {0, 0, most};
  const float range = static_cast<float>(most - least);
  const float rc = static_cast<float>(most - r) / range;
  const float gc = static_cast<float>(most - g) / range;
  const float bc = static_cast<float>(most - b) / range;
  // Sixths of the circle, from the strongest colour. The mix of float and double is Pillow's.
  const float sixths = r == most   ? bc - gc
                       : g == most ? static_cast<float>(2.0 + rc - bc)
                                   : static_cast<float>(4.0 + gc - rc);
  const double turn = sixths / 6.0 + 1.0;
  const float hue = static_cast<float>(turn >= 1.0 ? turn - 1.0 : turn);
  const float saturation = range / static_cast<float>(most);
  return {static_cast<uint8_t>(hue * 255.0), static_cast<uint8_t>(saturation * 255.0), most};
}

// Rounds a value >= 0 to the nearest integer, halves up.
uint8_t round_up(double value) { return static_cast<uint8_t>(value + 0.5); }

void from_hsv(const Hsv& hsv, uint8_t* pixel) {
  const double sixths = hsv.hue * 6.0 / 255.0;
  const int sector = static_cast<int>(sixths);
  const float part = static_cast<float>(sixths - sector);
  const float saturation = static_cast<float>(hsv.saturation / 255.0);
  const double value = hsv.value;
  const uint8_t v = hsv.value;
  const uint8_t p = round_up(value * (1.0 - saturation));
  const uint8_t q = round_up(value * (1.0 - saturation * part));
  const uint8_t t = round_up(value * (1.0 - saturation * (1.0 - part)));
  const uint8_t colors[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  std::copy_n(colors[sector % 6], 3, pixel);
}

}  // namespace

void adjust_brightness(Image& image, double factor) { blend_with_level(image, 0, factor); }

void adjust_contrast(Image& image, double factor) {
  int64_t sum = 0;
  for (int64_t p = 0; p < image.pixels(); ++p) sum += luma(image.rgb.data() + 3 * p);
  const double mean = static_cast<double>(sum) / static_cast<double>(image.pixels());
  blend_with_level(image, static_cast<int>(mean + 0.5), factor);
}

void adjust_saturation(Image& image, double factor) {
  std::array<float, 511> table;  // factor * difference, from -255 to 255
  for (int d = -255; d <= 255; ++d) {
    table[static_cast<size_t>(d + 255)] = scaled(static_cast<float>(factor), d);
  }
  for (int64_t p = 0; p < image.pixels(); ++p) {
    uint8_t* pixel = image.rgb.data() + 3 * p;
    const int gray = luma(pixel);
    for (int c = 0; c < 3; ++c) {
      pixel[c] = clip(static_cast<float>(gray) + table[static_cast<size_t>(pixel[c] - gray + 255)]);
    }
  }
}

void adjust_hue(Image& image, double shift) {
  const uint8_t steps = static_cast<uint8_t>(static_cast<int>(shift * 255));  // modulo 256
  for (int64_t p = 0; p < image.pixels(); ++p) {
    uint8_t* pixel = image.rgb.data() + 3 * p;
    Hsv hsv = to_hsv(pixel);
    hsv.hue = static_cast<uint8_t>(hsv.hue + steps);
    from_hsv(hsv, pixel);
  }
}

void to_grayscale(Image& image) {
  for (int64_t p = 0; p < image.pixels(); ++p) {
    uint8_t* pixel = image.rgb.data() + 3 * p;
    std::fill_n(pixel, 3, luma(pixel));
  }
}

void solarize(Image& image, int threshold) {
  Table table;
  for (int v = 0; v < 256; ++v) {
    table[static_cast<size_t>(v)] = static_cast<uint8_t>(v < threshold ? v : 255 - v);
  }
  look_up(image, table);
}

}  // namespace pixpro
