// Changes an image's colours in place, byte for byte as torchvision does on Pillow images.
#pragma once

#include "pixpro/data/augment/color_planes.h"

namespace pixpro {

// pixel = gray + factor * (pixel - gray), clipped to 0..255 and rounded down. `gray` is 0 for
// brightness, the mean luma of the image for contrast, and the pixel's luma for saturation. The
// factor is at least 0; 1 changes nothing.
void adjust_brightness(ColorPlanes& image, double factor);
void adjust_contrast(ColorPlanes& image, double factor);
void adjust_saturation(ColorPlanes& image, double factor);

// Turns the hue by `shift` of a full circle, -0.5 to 0.5. Even 0 rounds colours to Pillow's 8-bit
// HSV.
void adjust_hue(ColorPlanes& image, double shift);

// Red, green and blue become the luma of ITU-R 601-2.
void to_grayscale(ColorPlanes& image);

}  // namespace pixpro
