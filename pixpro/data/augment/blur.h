// Gaussian blur by three box filters with a fractional width, as Pillow's ImageFilter.GaussianBlur.
// Gwosdek, Grewenig, Bruhn, Weickert: "Theoretical foundations of Gaussian convolution by extended
// box filtering", SSVM 2011.
#pragma once

#include "pixpro/data/augment/pixel_math.h"
#include "pixpro/data/augment/planes.h"

namespace pixpro {

// How often the box runs over the rows, and then over the columns.
inline constexpr int kBlurPasses = 3;
// Throws Error where sigma is out of range.
ExtendedBox extended_box(double sigma);

// In place; sigma in pixels, 0 < sigma <= 1000. Beyond the edge the edge's pixel is repeated.
void gaussian_blur(Planes& image, double sigma);

}  // namespace pixpro
