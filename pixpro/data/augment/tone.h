// Changes of a picture's tones, in place, byte for byte as Pillow's ImageOps and ImageEnhance.
#pragma once

#include "pixpro/data/augment/planes.h"

namespace pixpro {

// Values of at least `threshold` are inverted.
void solarize(Planes& image, int threshold);

// `amount` is added to values below 128, up to 255.
void solarize_add(Planes& image, int amount);

void invert(Planes& image);

// Keeps the upper `bits` of every value, 0 to 8, and clears the others.
void posterize(Planes& image, int bits);

// Stretches the values of each channel so that the smallest becomes 0 and the largest 255.
void autocontrast(Planes& image);

// Gives each channel a histogram as even as a change of its values can make it.
void equalize(Planes& image);

// factor 0: smoothed by a 3 x 3 filter (all but the outermost pixels), 1: as it is, 2: sharpened.
void adjust_sharpness(Planes& image, double factor);

}  // namespace pixpro
