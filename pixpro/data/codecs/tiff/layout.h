// The layout of a TIFF file's samples, and their conversion to RGB.
#pragma once

#include <tiffio.h>

#include <array>
#include <cstdint>

#include "pixpro/data/image.h"

namespace pixpro {

enum class TiffColors : uint8_t { black_is_zero, white_is_zero, rgb, cmyk, palette };

struct TiffLayout {
  uint32_t width = 0, height = 0;
  TiffColors colors = TiffColors::rgb;
  uint16_t bits = 8;                  // per sample: 1, 2, 4 or 8 to 16
  uint16_t samples = 1;               // per pixel, colours first
  uint32_t color_bands = 1;           // the first of the samples
  uint32_t bands = 1;                 // samples that are kept: the colours, then the alpha if
  uint32_t largest_by_tags = 0;       // of 16-bit samples; 0: no tag says it
  bool has_multiplied_alpha = false;  // the colours are multiplied by it
  bool planes_apart = false;          // each strip or tile holds one sample of its pixels
  bool tiled = false;                 // tiles; otherwise strips, which are as wide as the image
  uint32_t block_width = 0, block_height = 0;  // of a strip or tile, in pixels
  uint16_t orientation = 1;                    // 1 to 8, as TIFF numbers them
  std::array<const uint16_t*, 3> palette{};    // red, green, blue of 2^bits colours
};

// Throws Error if the image is too large or of a kind that is not read.
TiffLayout read_tiff_layout(TIFF* tiff);

// kept: samples [height, width, bands] of 8 bits, or of `bits` if these are fewer.
Image tiff_to_rgb(const TiffLayout& layout, Bytes kept);

}  // namespace pixpro
