#include "pixpro/data/augment/color_planes.h"

namespace pixpro {

ColorPlanes to_planes(const Image& image) {
  ColorPlanes planes(image.width, image.height);
  const int64_t pixels = planes.pixels();
  for (int c = 0; c < 3; ++c) {
    const uint8_t* in = image.rgb.data() + c;
    uint8_t* out = planes.plane(c);
    for (int64_t p = 0; p < pixels; ++p) out[p] = in[3 * p];
  }
  return planes;
}

Image to_image(const ColorPlanes& planes) {
  Image image(planes.width, planes.height);
  const int64_t pixels = planes.pixels();
  for (int c = 0; c < 3; ++c) {
    const uint8_t* in = planes.plane(c);
    uint8_t* out = image.rgb.data() + c;
    for (int64_t p = 0; p < pixels; ++p) out[3 * p] = in[p];
  }
  return image;
}

}  // namespace pixpro
