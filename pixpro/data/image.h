// Images in memory and in files. Every file becomes 8-bit RGB with the pixels that Pillow's
// convert("RGB") gives; those of JPEG and lossy WebP may differ by 1 level. Alpha is dropped, not
// blended. EXIF orientation is ignored, TIFF's and TGA's own is followed. Samples of 16 bits are
// scaled to 8, whereas Pillow clips gray ones at 255. docs/images.md lists where Pillow is not
// followed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>
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
  Image(Size size, std::vector<uint8_t> pixels)
      : width(size.width), height(size.height), rgb(std::move(pixels)) {}
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

// Throws Error unless the box has pixels and is inside an image of the size.
void require_inside(const Box& box, Size size);

struct DecodeOptions {
  // How many bits of a 16-bit sample hold the image, 8 to 16. Cameras, scanners and microscopes
  // often use the lowest 10 to 14 only. Larger samples count as white. It does not matter if the
  // format says which value is white: PGM and PPM below 65535, TIFF with fewer than 16 bits.
  int bit_depth = 16;
};

// The image in the bytes of a JPEG, PNG, WebP, TIFF, BMP, GIF, PSD, TGA, PGM or PPM file; the
// content says which. Of several images or frames it is the first, of layers all together. Throws
// Error if the bytes are none of these or of a kind that is not read, if they are damaged or cut
// short, or if they claim a side over 65500 or more than 2^28 pixels (which is refused before
// memory is taken).
Image decode_image(Bytes bytes, const DecodeOptions& options = {});

// Whether the first bytes of a file, 32 of them or the whole file, are the signature of one of
// these formats. TGA has none.
bool has_image_signature(Bytes first);

// The same from a file. Errors name the path.
Image read_image(const std::filesystem::path& path, const DecodeOptions& options = {});

// Whether DecodeOptions::bit_depth matters for the image. Looks at the file's header only. False
// also for bytes that are not an image.
bool has_wide_samples(Bytes bytes);

// The largest sample of an image for which the bit depth matters, alpha aside, or the largest that
// the file says it may have (PNG's sBIT, TIFF's MaxSampleValue and SMaxSampleValue) if that is
// more. Nothing for other images. Throws Error as decode_image does.
std::optional<uint32_t> largest_wide_sample(Bytes bytes);

// Writes a PNG file. It is written under a temporary name in the same folder, flushed to disk and
// then renamed, so that `path` never holds half a file. Throws Error naming the path.
void write_png(const std::filesystem::path& path, const Image& image);

}  // namespace pixpro
