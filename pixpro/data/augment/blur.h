// Gaussian blur by three box filters of a fractional width, as in Pillow's
// ImageFilter.GaussianBlur. Gwosdek, Grewenig, Bruhn, Weickert: "Theoretical foundations of
// Gaussian convolution by extended box filtering", SSVM 2011.
#pragma once

#include "pixpro/data/augment/color_planes.h"
#include "pixpro/data/augment/pixel_math.h"

namespace pixpro {

// How often the box filter passes over the rows, and then over the columns.
inline constexpr int kBlurPasses = 3;

// The box filter of a blur. Throws Error unless 0 < sigma <= 1000.
ExtendedBox extended_box(double sigma);

// In place; sigma in pixels, 0 < sigma <= 1000. Pixels beyond the edge equal the one at the edge.
void gaussian_blur(ColorPlanes& image, double sigma);

}  // namespace pixpro
