// What a TIFF file's tags say about its samples. Refused are floating point and signed samples,
// which have no agreed range, CIELab, which needs a profile, uncompressed YCbCr, old-style JPEG,
// and more bands than colours and alpha: nothing says which of them to show.
#include "pixpro/data/codecs/tiff/layout.h"

#include <algorithm>
#include <array>

#include "engine/error.h"
#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

template <class T>
T tag(TIFF* tiff, uint32_t name, T otherwise) {
  T value = otherwise;
  return TIFFGetFieldDefaulted(tiff, name, &value) == 1 ? value : otherwise;
}

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

TiffColors colors_of(TIFF* tiff, const TiffLayout& layout) {
  const auto kind = tag<uint16_t>(tiff, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
  const bool is_jpeg = tag<uint16_t>(tiff, TIFFTAG_COMPRESSION, 0) == COMPRESSION_JPEG;
  switch (kind) {
    case PHOTOMETRIC_MINISWHITE:
      return TiffColors::white_is_zero;
    case PHOTOMETRIC_MINISBLACK:
      return TiffColors::black_is_zero;
    case PHOTOMETRIC_RGB:
      return TiffColors::rgb;
    case PHOTOMETRIC_PALETTE:
      return TiffColors::palette;
    case PHOTOMETRIC_SEPARATED:
      return TiffColors::cmyk;
    default:
      engine::require(kind == PHOTOMETRIC_YCBCR && is_jpeg && !layout.planes_apart,
                      "TIFF: colours of kind ", kind,
                      " are not supported; gray, palette, RGB, CMYK and JPEG's YCbCr are");
      TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);  // the codec converts
      return TiffColors::rgb;
  }
}

const char* name_of_format(uint16_t format) {
  switch (format) {
    case SAMPLEFORMAT_INT:
      return "signed integer";
    case SAMPLEFORMAT_IEEEFP:
      return "floating-point";
    case SAMPLEFORMAT_COMPLEXINT:
    case SAMPLEFORMAT_COMPLEXIEEEFP:
      return "complex";
    default:
      return "untyped";
  }
}

void read_samples_layout(TIFF* tiff, TiffLayout& layout) {
  const auto format = tag<uint16_t>(tiff, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  engine::require(format == SAMPLEFORMAT_UINT, "TIFF: ", name_of_format(format),
                  " samples, which have no agreed range; convert them to unsigned integers of 8 or "
                  "16 bits");
  layout.bits = tag<uint16_t>(tiff, TIFFTAG_BITSPERSAMPLE, 1);
  layout.samples = tag<uint16_t>(tiff, TIFFTAG_SAMPLESPERPIXEL, 1);
  const bool is_cmyk = layout.colors == TiffColors::cmyk, is_rgb = layout.colors == TiffColors::rgb;
  const bool is_palette = layout.colors == TiffColors::palette;
  const uint32_t colors = is_cmyk ? 4 : is_rgb ? 3 : 1;
  const bool few_bits = layout.bits == 1 || layout.bits == 2 || layout.bits == 4;
  const bool many_bits = layout.bits > 8 && layout.bits <= 16;
  engine::require(layout.bits == 8 || (many_bits && !is_palette) || (few_bits && colors == 1),
                  "TIFF: ", layout.bits,
                  " bits per sample, expected 8 to 16 (palette: 8), or 1, "
                  "2 or 4 if there is one band; convert it to 8 or 16 bits");
  const uint32_t most = is_cmyk ? 5 : 4;
  engine::require(layout.samples >= colors && layout.samples <= most, "TIFF: ", layout.samples,
                  " bands, expected ", colors, " to ", most,
                  " (gray, RGB or CMYK, and alpha); keep the three to be seen, as RGB");
  layout.color_bands = colors;
  uint16_t extras = 0;
  uint16_t* kinds = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extras, &kinds);
  layout.has_multiplied_alpha = !is_cmyk && !is_palette && layout.samples > colors && extras > 0 &&
                                kinds[0] == EXTRASAMPLE_ASSOCALPHA;
  layout.bands = colors + (layout.has_multiplied_alpha ? 1 : 0);
  if (!is_palette) return;
  uint16_t *red = nullptr, *green = nullptr, *blue = nullptr;
  engine::require(TIFFGetField(tiff, TIFFTAG_COLORMAP, &red, &green, &blue) == 1,
                  "TIFF: the palette is missing");
  layout.palette = {red, green, blue};
}

// The largest sample that the file says it has; 0 if it does not say. A tag that repeats what all
// 16 bits can hold, which is its default, says nothing.
uint32_t largest_by_tags(TIFF* tiff) {
  const auto by_integer = tag<uint16_t>(tiff, TIFFTAG_MAXSAMPLEVALUE, 0);
  double by_number = 0;
  if (TIFFGetField(tiff, TIFFTAG_SMAXSAMPLEVALUE, &by_number) != 1) by_number = 0;
  const double largest =
      std::max<double>(by_integer < 65535 ? by_integer : 0, by_number < 65535 ? by_number : 0);
  return static_cast<uint32_t>(largest);
}

}  // namespace

TiffLayout read_tiff_layout(TIFF* tiff) {
  TiffLayout layout;
  layout.width = tag<uint32_t>(tiff, TIFFTAG_IMAGEWIDTH, 0);
  layout.height = tag<uint32_t>(tiff, TIFFTAG_IMAGELENGTH, 0);
  require_decodable_size(layout.width, layout.height);
  require_known_compression(tiff);
  layout.planes_apart =
      tag<uint16_t>(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
  layout.colors = colors_of(tiff, layout);
  read_samples_layout(tiff, layout);
  if (layout.bits == 16) layout.largest_by_tags = largest_by_tags(tiff);
  layout.orientation = tag<uint16_t>(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
  layout.tiled = TIFFIsTiled(tiff) != 0;
  layout.block_width = layout.tiled ? tag<uint32_t>(tiff, TIFFTAG_TILEWIDTH, 0) : layout.width;
  layout.block_height =
      layout.tiled
          ? tag<uint32_t>(tiff, TIFFTAG_TILELENGTH, 0)
          : std::min(tag<uint32_t>(tiff, TIFFTAG_ROWSPERSTRIP, layout.height), layout.height);
  engine::require(layout.block_width >= 1 && layout.block_height >= 1,
                  "TIFF: strips or tiles without pixels");
  return layout;
}

}  // namespace pixpro
