// From bytes to what the network sees.
#pragma once

#include "pixpro/data/image.h"

namespace pixpro {

// Writes the picture as three planes, [3, height, width]: (value / 255 - mean) / deviation with the
// mean and deviation of ImageNet's channels.
void normalize(const Image& image, float* planes);

}  // namespace pixpro
