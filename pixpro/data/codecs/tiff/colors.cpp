#include <algorithm>

#include "pixpro/data/codecs/tiff/layout.h"

namespace pixpro {
namespace {

uint8_t divide_by_alpha(uint8_t color, uint32_t alpha) {
  if (alpha == 0) return 0;
  return static_cast<uint8_t>(std::min(255 * uint32_t{color} / alpha, 255u));
}

// Ink of 255 is full: red = (255 - cyan) * (255 - black) / 255, rounded.
uint8_t without_ink(uint8_t ink, uint8_t black) {
  const uint32_t paper = 255u - black, product = ink * paper + 128;
  return static_cast<uint8_t>(paper - (((product >> 8) + product) >> 8));
}

// Red, green or blue of a pixel.
uint8_t color_of(const TiffLayout& layout, const uint8_t* pixel, size_t channel) {
  switch (layout.colors) {
    case TiffColors::cmyk:
      return without_ink(pixel[channel], pixel[3]);
    case TiffColors::palette:
      return static_cast<uint8_t>(layout.palette[channel][pixel[0]] >> 8);
    case TiffColors::rgb:
      return layout.has_multiplied_alpha ? divide_by_alpha(pixel[channel], pixel[3])
                                         : pixel[channel];
    default:
      break;
  }
  const uint32_t largest = (1u << std::min<uint32_t>(layout.bits, 8)) - 1;
  const auto scaled = static_cast<uint8_t>(pixel[0] * 255u / largest);
  const uint8_t gray = layout.has_multiplied_alpha ? divide_by_alpha(scaled, pixel[1]) : scaled;
  return layout.colors == TiffColors::white_is_zero ? static_cast<uint8_t>(255 - gray) : gray;
}

}  // namespace

Image tiff_to_rgb(const TiffLayout& layout, Bytes kept) {
  Image image(static_cast<int>(layout.width), static_cast<int>(layout.height));
  const uint8_t* pixel = kept.data();
  for (size_t i = 0; i < image.rgb.size(); i += 3, pixel += layout.bands) {
    for (size_t channel = 0; channel < 3; ++channel) {
      image.rgb[i + channel] = color_of(layout, pixel, channel);
    }
  }
  return image;
}

}  // namespace pixpro
