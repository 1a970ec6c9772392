// Images that are stored turned or mirrored.
#pragma once

#include <cstdint>

#include "pixpro/data/image.h"

namespace pixpro {

// The image as it is meant to be seen. `orientation` is TIFF's number, which says where the first
// pixel of the first row belongs: 1 upper left, 2 upper right, 3 lower right, 4 lower left; 5 to 8
// the same for an image whose rows are columns. Other numbers mean 1.
Image upright(Image image, uint16_t orientation);

}  // namespace pixpro
