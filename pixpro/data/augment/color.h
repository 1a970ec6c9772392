// Changes of a picture's colours, in place, byte for byte as torchvision does them on Pillow
// pictures. A factor of 1 and a shift of 0 leave brightness, contrast and saturation as they are.
#pragma once

#include "pixpro/data/augment/planes.h"

namespace pixpro {

// factor >= 0: 0 gives black, an even gray of the mean luma, and the gray picture; a value beyond 1
// exaggerates. pixel = gray + factor * (pixel - gray), clipped to 0..255, rounded down.
void adjust_brightness(Planes& image, double factor);
void adjust_contrast(Planes& image, double factor);
void adjust_saturation(Planes& image, double factor);

// Turns the hue by `shift` of a full circle, -0.5 to 0.5, through Pillow's 8-bit HSV.
void adjust_hue(Planes& image, double shift);

// Red, green and blue become the luma of ITU-R 601-2.
void to_grayscale(Planes& image);

}  // namespace pixpro
