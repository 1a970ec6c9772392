// Shears, shifts and rotates an image in place, byte for byte as Pillow's Image.transform does.
// Pixels that come from outside the image get ImageNet's mean colour.
#pragma once

#include <array>

#include "pixpro/data/augment/color_planes.h"

namespace pixpro {

enum class Interpolation : uint8_t { bilinear, bicubic };

// The output pixel whose centre is (x, y) is read at (m[0] x + m[1] y + m[2], m[3] x + m[4] y +
// m[5]).
using AffineMap = std::array<double, 6>;

AffineMap shear_map(double across, double down);  // x + across * y, y + down * x
AffineMap shift_map(double right, double down);   // pixels

// Turns the image anticlockwise around its centre by up to 45 degrees.
AffineMap rotation_map(double degrees, int width, int height);

void warp(ColorPlanes& image, const AffineMap& map, Interpolation interpolation);

}  // namespace pixpro
