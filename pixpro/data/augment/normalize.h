// From bytes to the input of the network.
#pragma once

#include <array>

#include "pixpro/data/augment/color_planes.h"

namespace pixpro {

// Mean and deviation of ImageNet's channels, red, green and blue, of values 0..1.
inline constexpr std::array<float, 3> kImageNetMean{0.485f, 0.456f, 0.406f};
inline constexpr std::array<float, 3> kImageNetDeviation{0.229f, 0.224f, 0.225f};

// (value / 255 - mean) / deviation, rounded after each operation as in torchvision.
constexpr float normalized(int value, float mean, float deviation) {
  return (static_cast<float>(value) / 255.0f - mean) / deviation;
}

// Writes three planes of normalised floats, [3, height, width].
void normalize(const ColorPlanes& image, float* out);

}  // namespace pixpro
