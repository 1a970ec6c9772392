// libtiff unpacks the strips or tiles; turning their samples into RGB is done here, because its own
// conversion multiplies by alpha and rounds 16 bits otherwise than Pillow. The first picture of
// the file is read. Floating point, signed and CIELab samples, which have no agreed range or need a
// profile, are refused, as are uncompressed YCbCr and JPEG of the old kind.
#include <tiffio.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <memory>

#include "engine/error.h"
#include "pixpro/data/codec.h"

namespace pixpro {
namespace {

// The file in memory as libtiff reads it, and the first thing it complained of.
struct Memory {
  Bytes bytes;
  toff_t at = 0;
  std::array<char, 160> message{};
};

tmsize_t read_bytes(thandle_t handle, void* out, tmsize_t wanted) {
  auto* memory = static_cast<Memory*>(handle);
  if (wanted < 0 || memory->at > memory->bytes.size()) return 0;
  const size_t count =
      std::min(static_cast<size_t>(wanted), memory->bytes.size() - static_cast<size_t>(memory->at));
  std::copy_n(memory->bytes.data() + memory->at, count, static_cast<uint8_t*>(out));
  memory->at += count;
  return static_cast<tmsize_t>(count);
}

tmsize_t write_bytes(thandle_t, void*, tmsize_t) { return 0; }

toff_t seek(thandle_t handle, toff_t offset, int whence) {
  auto* memory = static_cast<Memory*>(handle);
  const toff_t base = whence == SEEK_SET   ? 0
                      : whence == SEEK_CUR ? memory->at
                                           : memory->bytes.size();
  return memory->at = base + offset;
}

int close_nothing(thandle_t) { return 0; }

toff_t size_of_file(thandle_t handle) { return static_cast<Memory*>(handle)->bytes.size(); }

int keep_message(TIFF*, void* user, const char*, const char* format, va_list arguments) {
  auto& message = static_cast<Memory*>(user)->message;
  if (message[0] == 0) std::vsnprintf(message.data(), message.size(), format, arguments);
  return 1;
}

int ignore_message(TIFF*, void*, const char*, const char*, va_list) { return 1; }

struct CloseTiff {
  void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using Handle = std::unique_ptr<TIFF, CloseTiff>;

Handle open_tiff(Memory& memory) {
  const std::unique_ptr<TIFFOpenOptions, decltype(&TIFFOpenOptionsFree)> options(
      TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
  engine::require(options != nullptr, "TIFF: no memory for the decoder");
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), tmsize_t{1} << 30);
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), keep_message, &memory);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), ignore_message, nullptr);
  Handle tiff(TIFFClientOpenExt("", "rm", &memory, read_bytes, write_bytes, seek, close_nothing,
                                size_of_file, nullptr, nullptr, options.get()));
  engine::require(tiff != nullptr, "TIFF: ", memory.message.data());
  return tiff;
}

template <class T>
T tag(TIFF* tiff, uint32_t name, T otherwise) {
  T value = otherwise;
  return TIFFGetFieldDefaulted(tiff, name, &value) == 1 ? value : otherwise;
}

struct Layout {
  explicit Layout(TIFF* tiff);

  uint32_t width, height;
  uint16_t bits, samples, photometric, orientation;
  bool planes_apart;          // one strip or tile a sample, not one of whole pixels
  bool has_multiplied_alpha;  // the sample after the colours, and they are multiplied by it
  uint32_t bands = 0;         // samples of a pixel that are kept: colours, then such an alpha
  uint32_t block_width, block_height;  // of a tile, or of a strip as a tile of the full width
  bool tiled;
};

void require_known_compression(TIFF* tiff) {
  constexpr std::array<uint16_t, 12> kKnown{
      COMPRESSION_NONE,          COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
      COMPRESSION_LZW,           COMPRESSION_JPEG,     COMPRESSION_DEFLATE,   COMPRESSION_PACKBITS,
      COMPRESSION_ADOBE_DEFLATE, COMPRESSION_LZMA,     COMPRESSION_ZSTD,      COMPRESSION_WEBP};
  const auto compression = tag<uint16_t>(tiff, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  engine::require(std::ranges::find(kKnown, compression) != kKnown.end() &&
                      TIFFIsCODECConfigured(compression) == 1,
                  "TIFF: compression ", compression, " is not supported");
}

Layout::Layout(TIFF* tiff)
    : width(tag<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0)),
      height(tag<uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0)),
      bits(tag<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1)),
      samples(tag<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1)),
      photometric(tag<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE)),
      orientation(tag<uint16_t>(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT)),
      planes_apart(tag<uint16_t>(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) ==
                   PLANARCONFIG_SEPARATE),
      tiled(TIFFIsTiled(tiff) != 0) {
  require_decodable_size(width, height);
  require_known_compression(tiff);
  const auto format = tag<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  engine::require(format == SAMPLEFORMAT_UINT, "TIFF: samples of format ", format,
                  " (2: signed, 3: floating point); only unsigned integers have an agreed range");
  const bool is_gray =
      photometric == PHOTOMETRIC_MINISWHITE || photometric == PHOTOMETRIC_MINISBLACK;
  const bool is_palette = photometric == PHOTOMETRIC_PALETTE;
  const bool is_jpeg_color = photometric == PHOTOMETRIC_YCBCR && samples == 3 && !planes_apart &&
                             tag<uint16_t>(tiff, TIFFTAG_COMPRESSION, 0) == COMPRESSION_JPEG;
  const bool is_rgb = photometric == PHOTOMETRIC_RGB || is_jpeg_color;
  const bool is_cmyk = photometric == PHOTOMETRIC_SEPARATED;
  engine::require(is_gray || is_palette || is_rgb || is_cmyk, "TIFF: colours of kind ", photometric,
                  " are not supported; gray, palette, RGB, CMYK and JPEG's YCbCr are");
  const bool few_bits = bits == 1 || bits == 2 || bits == 4;
  engine::require(bits == 8 || (bits == 16 && !is_palette) || (few_bits && (is_gray || is_palette)),
                  "TIFF: ", bits, " bits a sample are not supported for colours of kind ",
                  photometric);
  const uint32_t colors = is_cmyk ? 4 : is_rgb ? 3 : 1;
  engine::require(samples >= colors && samples <= 16, "TIFF: ", samples,
                  " samples a pixel for colours of kind ", photometric);
  uint16_t extras = 0;
  uint16_t* kinds = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extras, &kinds);
  has_multiplied_alpha = samples > colors && extras > 0 && kinds[0] == EXTRASAMPLE_ASSOCALPHA &&
                         !is_palette && !is_cmyk;
  bands = colors + (has_multiplied_alpha ? 1 : 0);
  if (is_jpeg_color) TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
  block_width = tiled ? tag<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0) : width;
  block_height = tiled ? tag<uint32_t>(tiff, TIFFTAG_TILELENGTH, 0)
                       : std::min(tag<uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, height), height);
  engine::require(block_width >= 1 && block_height >= 1, "TIFF: strips or tiles without pixels");
}

// Sample i of a row, as 8 bits; of fewer as they are.
uint8_t sample_at(const uint8_t* row, size_t i, uint16_t bits) {
  if (bits == 8) return row[i];
  if (bits == 16) {
    uint16_t value = 0;  // in the machine's byte order
    std::memcpy(&value, row + 2 * i, 2);
    return static_cast<uint8_t>(value >> 8);
  }
  const size_t bit = i * bits;
  return row[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1);
}

// Unpacks every strip or tile into kept: [height, width, bands].
void read_samples(TIFF* tiff, const Memory& memory, const Layout& layout, uint8_t* kept) {
  const tmsize_t row_bytes = layout.tiled ? TIFFTileRowSize(tiff) : TIFFScanlineSize(tiff);
  const tmsize_t block_bytes = row_bytes * layout.block_height;
  const uint32_t per_pixel = layout.planes_apart ? 1 : layout.samples;
  const size_t row_needs = (size_t{layout.block_width} * per_pixel * layout.bits + 7) / 8;
  // A tile may overhang the picture, but not by far.
  const size_t most = (size_t{1} << 24) + 4 * row_needs * layout.height;
  engine::require(row_bytes >= static_cast<tmsize_t>(row_needs) &&
                      block_bytes / row_bytes == static_cast<tmsize_t>(layout.block_height) &&
                      static_cast<size_t>(block_bytes) <= most,
                  "TIFF: tiles of ", layout.block_width, " x ", layout.block_height,
                  " pixels in a picture of ", layout.width, " x ", layout.height);
  std::vector<uint8_t> block(static_cast<size_t>(block_bytes));
  const uint32_t planes = layout.planes_apart ? layout.bands : 1;
  for (uint32_t plane = 0; plane < planes; ++plane) {
    for (uint32_t top = 0; top < layout.height; top += layout.block_height) {
      const uint32_t rows = std::min(layout.block_height, layout.height - top);
      for (uint32_t left = 0; left < layout.width; left += layout.block_width) {
        const uint32_t columns = std::min(layout.block_width, layout.width - left);
        const auto sample = static_cast<uint16_t>(plane);
        const tmsize_t wanted = layout.tiled ? block_bytes : row_bytes * rows;
        const tmsize_t found =
            layout.tiled ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, left, top, 0, sample),
                                               block.data(), wanted)
                         : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, top, sample),
                                                block.data(), wanted);
        engine::require(
            found == wanted, "TIFF: ",
            memory.message[0] != 0 ? memory.message.data() : "a strip or tile is cut short");
        for (uint32_t y = 0; y < rows; ++y) {
          const uint8_t* row = block.data() + row_bytes * y;
          uint8_t* out = kept + (size_t{top + y} * layout.width + left) * layout.bands + plane;
          for (size_t x = 0; x < columns; ++x, out += layout.bands) {
            if (layout.planes_apart) {
              *out = sample_at(row, x, layout.bits);
              continue;
            }
            for (size_t b = 0; b < layout.bands; ++b) {
              out[b] = sample_at(row, x * per_pixel + b, layout.bits);
            }
          }
        }
      }
    }
  }
}

void divide_by_alpha(uint8_t* colors, size_t count, uint32_t alpha) {
  for (size_t c = 0; c < count; ++c) {
    const uint32_t divided = alpha == 0 ? 0 : 255 * uint32_t{colors[c]} / alpha;
    colors[c] = static_cast<uint8_t>(std::min(divided, 255u));
  }
}

// Ink of 255 is full: red = (255 - cyan) * (255 - black) / 255, rounded.
uint8_t without_ink(uint8_t ink, uint8_t black) {
  const uint32_t paper = 255u - black, product = ink * paper + 128;
  return static_cast<uint8_t>(paper - (((product >> 8) + product) >> 8));
}

using Palette = std::array<uint16_t*, 3>;

void to_rgb(const Layout& layout, const Palette& palette, uint8_t* kept, uint8_t* rgb) {
  const uint32_t largest = (1u << std::min<uint32_t>(layout.bits, 8)) - 1;
  const size_t colors = layout.bands - (layout.has_multiplied_alpha ? 1 : 0);
  const size_t pixels = size_t{layout.width} * layout.height;
  for (size_t p = 0; p < pixels; ++p, kept += layout.bands, rgb += 3) {
    if (layout.has_multiplied_alpha) divide_by_alpha(kept, colors, kept[colors]);
    for (size_t c = 0; c < 3; ++c) {
      if (layout.photometric == PHOTOMETRIC_SEPARATED) {
        rgb[c] = without_ink(kept[c], kept[3]);
      } else if (layout.photometric == PHOTOMETRIC_PALETTE) {
        rgb[c] = static_cast<uint8_t>(palette[c][kept[0]] >> 8);
      } else if (colors == 1) {
        const uint32_t gray = kept[0] * 255 / largest;
        rgb[c] =
            static_cast<uint8_t>(layout.photometric == PHOTOMETRIC_MINISWHITE ? 255 - gray : gray);
      } else {
        rgb[c] = kept[c];
      }
    }
  }
}

// Turns and mirrors the picture as the orientation tag says (which is TIFF's own, not EXIF's).
Image upright(Image image, uint16_t orientation) {
  if (orientation < 2 || orientation > 8) return image;
  const bool swapped = orientation >= 5;
  const bool from_right = orientation == 2 || orientation == 3 || orientation >= 7;
  const bool from_below =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  Image turned(swapped ? image.height : image.width, swapped ? image.width : image.height);
  for (int y = 0; y < turned.height; ++y) {
    for (int x = 0; x < turned.width; ++x) {
      const int u = swapped ? y : x, v = swapped ? x : y;
      const uint8_t* from = image.row(from_below ? image.height - 1 - v : v) +
                            3 * (from_right ? image.width - 1 - u : u);
      std::copy_n(from, 3, turned.row(y) + 3 * x);
    }
  }
  return turned;
}

}  // namespace

bool is_tiff(Bytes bytes) {
  const auto starts_with = [&](const char* signature) {
    return bytes.size() >= 8 && std::memcmp(bytes.data(), signature, 4) == 0;
  };
  // 42 for TIFF, 43 for BigTIFF, in either byte order.
  return starts_with("II*\0") || starts_with("MM\0*") || starts_with("II+\0") ||
         starts_with("MM\0+");
}

Image decode_tiff(Bytes bytes) {
  Memory memory{.bytes = bytes};
  const Handle tiff = open_tiff(memory);
  const Layout layout(tiff.get());
  Palette palette{};
  if (layout.photometric == PHOTOMETRIC_PALETTE) {
    engine::require(
        TIFFGetField(tiff.get(), TIFFTAG_COLORMAP, &palette[0], &palette[1], &palette[2]) == 1,
        "TIFF: the palette is missing");
  }
  Image image(static_cast<int>(layout.width), static_cast<int>(layout.height));
  std::vector<uint8_t> kept(static_cast<size_t>(image.pixels()) * layout.bands);
  read_samples(tiff.get(), memory, layout, kept.data());
  to_rgb(layout, palette, kept.data(), image.rgb.data());
  return upright(std::move(image), layout.orientation);
}

}  // namespace pixpro
