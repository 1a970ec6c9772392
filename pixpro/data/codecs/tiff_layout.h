// What a TIFF file says about its samples, and what becomes of them once they are unpacked.
#pragma once

#include <array>
#include <cstdint>

#include "pixpro/data/image.h"

namespace pixpro {

enum class TiffColors : uint8_t { black_is_zero, white_is_zero, rgb, cmyk, palette };

struct TiffLayout {
  uint32_t width = 0, height = 0;
  TiffColors colors = TiffColors::rgb;
  uint16_t bits = 8;                  // a sample: 1, 2, 4, 8 or 16
  uint16_t samples = 1;               // a pixel, colours first
  uint32_t bands = 1;                 // of these samples kept: the colours, and an alpha that
  bool has_multiplied_alpha = false;  // the colours are multiplied by, behind them
  bool planes_apart = false;          // a strip or tile holds one sample, not whole pixels
  bool tiled = false;                 // else strips, that is tiles of the full width
  uint32_t block_width = 0, block_height = 0;  // pixels of a strip or tile
  uint16_t orientation = 1;                    // 1 to 8, as TIFF numbers them
  std::array<const uint16_t*, 3> palette{};    // red, green, blue of 2^bits colours
};

// The picture of samples kept: [height, width, bands], 8 bits each (fewer where bits < 8).
Image tiff_to_rgb(const TiffLayout& layout, Bytes kept);

// Turned and mirrored as the orientation says.
Image upright(Image image, uint16_t orientation);

}  // namespace pixpro
