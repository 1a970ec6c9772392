// Pictures in memory and in files. Everything becomes 8-bit RGB with the pixels that Pillow's
// convert("RGB") gives: equal, JPEG and lossy WebP within 1 level. Alpha is left out, not blended;
// EXIF orientation is ignored, TIFF's own is followed. Where Pillow cuts 16-bit gray off at 255, it
// is scaled to 8 bits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace pixpro {

using Bytes = std::span<const uint8_t>;

struct Size {
  int width = 0, height = 0;  // pixels
};

struct Box {
  int left = 0, top = 0, width = 0, height = 0;  // pixels
  bool operator==(const Box&) const = default;
};

struct Image {
  Image() = default;
  Image(int width_pixels, int height_pixels)
      : width(width_pixels),
        height(height_pixels),
        rgb(static_cast<size_t>(3) * static_cast<size_t>(width_pixels) *
            static_cast<size_t>(height_pixels)) {}

  uint8_t* row(int y) { return rgb.data() + static_cast<int64_t>(3) * width * y; }
  const uint8_t* row(int y) const { return rgb.data() + static_cast<int64_t>(3) * width * y; }
  int64_t pixels() const { return static_cast<int64_t>(width) * height; }

  int width = 0, height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3], interleaved
};

// The picture in the bytes of a JPEG, PNG, WebP, TIFF, BMP, PBM, PGM or PPM file; the content says
// which. Of several pictures or frames it is the first. Throws Error where the bytes are none of
// these, are damaged or cut short, or claim a side over 65500 or more than 2^28 pixels (refused
// before memory is taken).
Image decode_image(Bytes bytes);

// The same from a file. Errors name the path.
Image read_image(const std::filesystem::path& path);

// Writes a PNG so that the name never holds half a file: written under a temporary name in the same
// folder, flushed to disk, then renamed. Throws Error naming the path.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace pixpro
