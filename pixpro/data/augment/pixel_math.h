// What color.h and blur.h do to single pixels, shared by the CPU's loops and the CUDA kernels.
// Sources that compute pixels with it are compiled without fused multiply-add: Pillow rounds both
// the product and the sum.
#pragma once

#include <algorithm>
#include <cstdint>

namespace pixpro {

struct Rgb {
  int r, g, b;  // 0..255
};

// ITU-R 601-2 luma in fixed point of 16 bits.
constexpr int luma(Rgb c) {
  return static_cast<int>((19595u * static_cast<uint32_t>(c.r) +
                           38470u * static_cast<uint32_t>(c.g) +
                           7471u * static_cast<uint32_t>(c.b) + 0x8000u) >>
                          16);
}

// gray + factor * (value - gray), clipped and rounded down.
constexpr int blend(int gray, int value, float factor) {
  const float mixed = static_cast<float>(gray) + factor * static_cast<float>(value - gray);
  return static_cast<int>(std::min(std::max(mixed, 0.0f), 255.0f));
}

constexpr Rgb blend(int gray, Rgb c, float factor) {
  return {blend(gray, c.r, factor), blend(gray, c.g, factor), blend(gray, c.b, factor)};
}

constexpr int solarized(int value, int threshold) {
  return value < threshold ? value : 255 - value;
}

// share * 255 rounded down, for a share in [0, 1]. A float has too few bits for 255 * share, but
// 256 * share and the fraction of that are exact, which corrects the rounded product.
constexpr int share_to_byte(float share) {
  const int rounded = static_cast<int>(255.0f * share);
  return rounded - static_cast<int>(256.0f * share - static_cast<float>(rounded) < share);
}

// x / 6, correctly rounded for all hues: a product, corrected by the remainder that it leaves of x.
constexpr float sixth(float x) {
  constexpr float kSixth = 1.0f / 6.0f;
  const float quotient = x * kSixth;
  const float rest = (x - 4.0f * quotient) - 2.0f * quotient;  // exact
  return quotient + rest * kSixth;
}

// The hue of a colour that is not gray, in 255ths of the circle. It depends on which channel is the
// strongest and which the weakest, and on the value of the middle one.
constexpr int hue_of(Rgb c, int most, int least) {
  const int middle = c.r + c.g + c.b - most - least;
  const float range = static_cast<float>(std::max(most - least, 1));
  const float ratio = static_cast<float>(most - middle) / range;
  const int after_strongest = c.r == most ? c.g : c.g == most ? c.b : c.r;
  const float corner = c.r == most ? 0.0f : c.g == most ? 2.0f : 4.0f;  // sixths of the circle
  const float sign = after_strongest == least ? 1.0f : -1.0f;
  const float turn = sixth((corner - sign) + sign * ratio);
  return share_to_byte(turn < 0.0f ? 1.0f + turn : turn);
}

// One channel of a colour of the given hue: most * (1 - saturation * distance). The distance is
// that of the hue from the hues where the channel is strongest: 0 up to 1/6 of the circle, 1 from
// 1/3 on. `offset` turns the circle so that the channel is strongest in its middle.
constexpr int channel_of(int hue, int offset, int most, float most_saturation) {
  const int turned = 6 * hue + offset;
  const int place = turned >= 1530 ? turned - 1530 : turned;
  const int distance = std::min(std::max(std::min(place, 1020 - place), 0), 255);
  return most - static_cast<int>(
                    most_saturation * static_cast<float>(distance) * (1.0f / 65025.0f) + 0.5f);
}

// The turn of a hue in 255ths of the circle, modulo 256; shift: -0.5 to 0.5 circles.
constexpr int hue_steps(double shift) { return static_cast<int>(shift * 255) & 255; }

// Pillow converts to 8-bit hue, saturation and value and back, in a mix of float and double. This
// arithmetic gives the same bytes for every colour and every hue, as a test of all of them shows.
constexpr Rgb turn_hue(Rgb c, int steps) {
  const int most = std::max(std::max(c.r, c.g), c.b), least = std::min(std::min(c.r, c.g), c.b);
  const int range = most - least;
  const int hue = (hue_of(c, most, least) + steps) & 255;
  const int saturation =
      static_cast<int>(static_cast<float>(255 * range) / static_cast<float>(std::max(most, 1)));
  // 0 for grays, whose hue is meaningless.
  const float product = static_cast<float>(most * saturation);
  return {channel_of(hue, 5 * 255, most, product), channel_of(hue, 3 * 255, most, product),
          channel_of(hue, 1 * 255, most, product)};
}

// A box filter of a fractional width, in fixed point of 24 bits: inner * (sum of the 2 * radius + 1
// nearest values) + edge * (sum of the next value on each side).
struct ExtendedBox {
  int radius = 0;
  uint32_t inner = 0, edge = 0;

  constexpr uint8_t weighted(uint32_t sum, uint32_t ends) const {
    return static_cast<uint8_t>((sum * inner + ends * edge + (1u << 23)) >> 24);
  }
};

}  // namespace pixpro
