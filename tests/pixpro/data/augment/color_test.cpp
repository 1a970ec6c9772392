// Colour operations against Pillow's own mix of float and double, for every colour.
#include "pixpro/data/augment/color.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace pixpro {
namespace {

using Color = std::array<uint8_t, 3>;

struct Hsv {
  uint8_t hue, saturation, value;
};

// Smith's conversion with Pillow's precision.
Hsv to_hsv(const Color& color) {
  const auto [r, g, b] = color;
  const uint8_t most = std::max({r, g, b}), least = std::min({r, g, b});
  if (most == least) return {0, 0, most};
  const float range = static_cast<float>(most - least);
  const float rc = static_cast<float>(most - r) / range;
  const float gc = static_cast<float>(most - g) / range;
  const float bc = static_cast<float>(most - b) / range;
  const float sixths = r == most   ? bc - gc
                       : g == most ? static_cast<float>(2.0 + rc - bc)
                                   : static_cast<float>(4.0 + gc - rc);
  const float hue = static_cast<float>(std::fmod(sixths / 6.0 + 1.0, 1.0));
  const float saturation = range / static_cast<float>(most);
  return {static_cast<uint8_t>(hue * 255.0), static_cast<uint8_t>(saturation * 255.0), most};
}

Color from_hsv(const Hsv& hsv) {
  const double sixths = hsv.hue * 6.0 / 255.0;
  const int sector = static_cast<int>(sixths);
  const float part = static_cast<float>(sixths - sector);
  const float saturation = static_cast<float>(hsv.saturation / 255.0);
  const uint8_t v = hsv.value;
  const auto level = [&](double share) { return static_cast<uint8_t>(v * share + 0.5); };
  const uint8_t p = level(1.0 - saturation);
  const uint8_t q = level(1.0 - saturation * part);
  const uint8_t t = level(1.0 - saturation * (1.0 - part));
  const Color colors[] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
  return colors[sector % 6];
}

TEST(Hue, EqualsPillowForEveryColor) {
  constexpr int kSide = 4096;  // 2^24 pixels, each of a different colour
  ColorPlanes all(kSide, kSide);
  for (const double shift : {0.07, -0.5}) {
    for (int64_t i = 0; i < all.pixels(); ++i) {
      for (int c = 0; c < 3; ++c) all.plane(c)[i] = static_cast<uint8_t>(i >> 8 * c);
    }
    adjust_hue(all, shift);
    const auto steps = static_cast<uint8_t>(static_cast<int>(shift * 255));
    int64_t different = 0;
    for (int64_t i = 0; i < all.pixels(); ++i) {
      Hsv hsv = to_hsv(
          {static_cast<uint8_t>(i), static_cast<uint8_t>(i >> 8), static_cast<uint8_t>(i >> 16)});
      hsv.hue = static_cast<uint8_t>(hsv.hue + steps);
      const Color expected = from_hsv(hsv);
      for (int c = 0; c < 3; ++c) {
        different += all.plane(c)[i] != expected[static_cast<size_t>(c)];
      }
    }
    EXPECT_EQ(different, 0) << "shift " << shift;
  }
}

// The way back from hue, saturation and value: reds of every saturation and value, turned to every
// hue.
TEST(Hue, EqualsPillowForEveryHue) {
  ColorPlanes planes(256, 256);
  for (int turn = -127; turn <= 127; ++turn) {
    for (int value = 0; value < 256; ++value) {
      for (int least = 0; least < 256; ++least) {
        planes.plane(0)[256 * value + least] = static_cast<uint8_t>(value);
        planes.plane(1)[256 * value + least] = static_cast<uint8_t>(std::min(value, least));
        planes.plane(2)[256 * value + least] = static_cast<uint8_t>(std::min(value, least));
      }
    }
    adjust_hue(planes, (turn + (turn < 0 ? -0.5 : 0.5)) / 255);
    int64_t different = 0;
    for (int value = 0; value < 256; ++value) {
      for (int least = 0; least < 256; ++least) {
        const auto v = static_cast<uint8_t>(value),
                   l = static_cast<uint8_t>(std::min(value, least));
        Hsv hsv = to_hsv({v, l, l});
        hsv.hue = static_cast<uint8_t>(hsv.hue + turn);
        const Color expected = from_hsv(hsv);
        for (int c = 0; c < 3; ++c) {
          different += planes.plane(c)[256 * value + least] != expected[static_cast<size_t>(c)];
        }
      }
    }
    ASSERT_EQ(different, 0) << "turn " << turn;
  }
}

TEST(Brightness, RoundsProductsDown) {
  ColorPlanes planes(256, 1);
  for (const double factor : {0.0, 0.37, 1.0, 1.4, 2.0, 30.0}) {
    for (int i = 0; i < 3 * 256; ++i)
      planes.bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
    adjust_brightness(planes, factor);
    for (int v = 0; v < 256; ++v) {
      const float exact = static_cast<float>(factor) * static_cast<float>(v);
      EXPECT_EQ(planes.plane(1)[v], static_cast<uint8_t>(std::min(exact, 255.0f)));
    }
  }
}

}  // namespace
}  // namespace pixpro
