// Changes an image's tones in place, byte for byte as Pillow's ImageOps and ImageEnhance do.
#pragma once

#include "pixpro/data/augment/color_planes.h"

namespace pixpro {

// Inverts values of at least `threshold`.
void solarize(ColorPlanes& image, int threshold);

// Adds `amount` to values below 128, up to 255.
void solarize_add(ColorPlanes& image, int amount);

void invert(ColorPlanes& image);

// Keeps the upper `bits` bits of every value, 0 to 8, and clears the others.
void posterize(ColorPlanes& image, int bits);

// Stretches the values of each channel so that the smallest becomes 0 and the largest 255.
void autocontrast(ColorPlanes& image);

// Gives each channel a histogram that is as flat as a mapping of its values can make it.
void equalize(ColorPlanes& image);

// factor 0 smooths all but the outermost pixels by a 3 x 3 filter, 1 changes nothing, 2 sharpens.
void adjust_sharpness(ColorPlanes& image, double factor);

}  // namespace pixpro
