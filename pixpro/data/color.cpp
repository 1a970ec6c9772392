// Plain loops over bytes that a compiler turns into vector code. This file is compiled without
// fusing products into sums: Pillow rounds both.
#include "pixpro/data/color.h"

#include <algorithm>

namespace pixpro {
namespace {

uint8_t luma(uint8_t r, uint8_t g, uint8_t b) {
  return static_cast<uint8_t>((19595u * r + 38470u * g + 7471u * b + 0x8000u) >> 16);
}

uint8_t blend(int gray, int value, float factor) {
  const float mixed = static_cast<float>(gray) + factor * static_cast<float>(value - gray);
  return static_cast<uint8_t>(static_cast<int>(std::min(std::max(mixed, 0.0f), 255.0f)));
}

void blend_with_level(Planes& image, int level, double factor) {
  const float f = static_cast<float>(factor);
  uint8_t* bytes = image.bytes.data();
  const int64_t count = 3 * image.pixels();
  for (int64_t i = 0; i < count; ++i) bytes[i] = blend(level, bytes[i], f);
}

// share * 255 rounded down, share in [0, 1]: 255 times a float needs more bits than a float has,
// but 256 times it and the fraction of that are exact.
int share_to_byte(float share) {
  const int rounded = static_cast<int>(255.0f * share);
  return rounded - static_cast<int>(256.0f * share - static_cast<float>(rounded) < share);
}

// x / 6 correctly rounded for the hues there are: a product, corrected by what it leaves of x.
float sixth(float x) {
  constexpr float kSixth = 1.0f / 6.0f;
  const float quotient = x * kSixth;
  const float rest = (x - 4.0f * quotient) - 2.0f * quotient;  // exact
  return quotient + rest * kSixth;
}

// The hue of a colour that is not gray, in 255ths of the circle. With one channel strongest and one
// weakest, it is a function of which they are and of the middle one.
int hue_of(int r, int g, int b, int most, int least) {
  const int middle = r + g + b - most - least;
  const float range = static_cast<float>(std::max(most - least, 1));
  const float ratio = static_cast<float>(most - middle) / range;
  const int after_strongest = r == most ? g : g == most ? b : r;
  const float corner = r == most ? 0.0f : g == most ? 2.0f : 4.0f;  // sixths of the circle
  const float sign = after_strongest == least ? 1.0f : -1.0f;
  const float turn = sixth((corner - sign) + sign * ratio);
  return share_to_byte(turn < 0.0f ? 1.0f + turn : turn);
}

// One channel of a colour of the hue, most * (1 - saturation * distance), where distance is how far
// the hue is from where the channel is strongest: 0 up to 1/6 of the circle, 1 from 1/3 on.
// `offset` turns the circle so that the channel is strongest at its middle.
int channel_of(int hue, int offset, int most, float most_saturation) {
  const int turned = 6 * hue + offset;
  const int place = turned >= 1530 ? turned - 1530 : turned;
  const int distance = std::min(std::max(std::min(place, 1020 - place), 0), 255);
  return most - static_cast<int>(
                    most_saturation * static_cast<float>(distance) * (1.0f / 65025.0f) + 0.5f);
}

}  // namespace

void adjust_brightness(Planes& image, double factor) { blend_with_level(image, 0, factor); }

void adjust_contrast(Planes& image, double factor) {
  const uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int64_t pixels = image.pixels();
  int64_t sum = 0;
  for (int64_t begin = 0; begin < pixels; begin += 4096) {
    const int64_t end = std::min(begin + 4096, pixels);
    uint32_t part = 0;
    for (int64_t p = begin; p < end; ++p) part += luma(r[p], g[p], b[p]);
    sum += part;
  }
  const double mean = static_cast<double>(sum) / static_cast<double>(pixels);
  blend_with_level(image, static_cast<int>(mean + 0.5), factor);
}

void adjust_saturation(Planes& image, double factor) {
  const float f = static_cast<float>(factor);
  uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int64_t pixels = image.pixels();
#pragma omp simd
  for (int64_t p = 0; p < pixels; ++p) {
    const int gray = luma(r[p], g[p], b[p]);
    r[p] = blend(gray, r[p], f);
    g[p] = blend(gray, g[p], f);
    b[p] = blend(gray, b[p], f);
  }
}

// Pillow goes to hue, saturation and value of 8 bits and back in a mix of float and double. This
// arithmetic gives its bytes for each of the 2^24 colours and each hue; a test goes through them.
void adjust_hue(Planes& image, double shift) {
  const int steps = static_cast<int>(shift * 255) & 255;
  uint8_t *red = image.plane(0), *green = image.plane(1), *blue = image.plane(2);
  const int64_t pixels = image.pixels();
#pragma omp simd
  for (int64_t p = 0; p < pixels; ++p) {
    const int r = red[p], g = green[p], b = blue[p];
    const int most = std::max(std::max(r, g), b), least = std::min(std::min(r, g), b);
    const int range = most - least;
    const int hue = (hue_of(r, g, b, most, least) + steps) & 255;
    const int saturation =
        static_cast<int>(static_cast<float>(255 * range) / static_cast<float>(std::max(most, 1)));
    // 0 for grays, whose hue has no meaning.
    const float product = static_cast<float>(most * saturation);
    red[p] = static_cast<uint8_t>(channel_of(hue, 5 * 255, most, product));
    green[p] = static_cast<uint8_t>(channel_of(hue, 3 * 255, most, product));
    blue[p] = static_cast<uint8_t>(channel_of(hue, 1 * 255, most, product));
  }
}

void to_grayscale(Planes& image) {
  uint8_t *r = image.plane(0), *g = image.plane(1), *b = image.plane(2);
  const int64_t pixels = image.pixels();
#pragma omp simd
  for (int64_t p = 0; p < pixels; ++p) r[p] = g[p] = b[p] = luma(r[p], g[p], b[p]);
}

}  // namespace pixpro
