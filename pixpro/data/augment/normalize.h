// From bytes to what the network sees.
#pragma once

#include <array>

#include "pixpro/data/augment/planes.h"

namespace pixpro {

// Of ImageNet's channels.
inline constexpr std::array<float, 3> kImageNetMean{0.485f, 0.456f, 0.406f};
inline constexpr std::array<float, 3> kImageNetDeviation{0.229f, 0.224f, 0.225f};

// (value / 255 - mean) / deviation, each operation rounded as in torchvision.
constexpr float normalized(int value, float mean, float deviation) {
  return (static_cast<float>(value) / 255.0f - mean) / deviation;
}

// Writes three planes of normalised floats, [3, height, width].
void normalize(const Planes& image, float* out);

}  // namespace pixpro
