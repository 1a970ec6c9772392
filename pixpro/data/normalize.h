// From bytes to what the network sees.
#pragma once

#include "pixpro/data/planes.h"

namespace pixpro {

// Writes three planes of floats, [3, height, width]: (value / 255 - mean) / deviation with the mean
// and deviation of ImageNet's channels, each operation rounded as in torchvision.
void normalize(const Planes& image, float* out);

}  // namespace pixpro
