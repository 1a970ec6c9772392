#include "pixpro/data/image.h"

#include <algorithm>
#include <iterator>

#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/decode_memory.h"
#include "pixpro/data/sources/file_bytes.h"

namespace pixpro {
namespace {

constexpr int64_t kMaxSide = 65500;              // of a JPEG
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // large images only slow a fuzzer down
constexpr int64_t kMaxPixels = int64_t{1} << 20;
#else
constexpr int64_t kMaxPixels = int64_t{1} << 28;
#endif

struct Format {
  bool (*is_it)(Bytes);
  Image (*decode)(Bytes);
};
constexpr Format kFormats[] = {{is_jpeg, decode_jpeg},
                               {is_webp, decode_webp},
                               {is_bmp, decode_bmp},
                               {is_gif, decode_gif},
                               {is_tga, decode_tga}};

// Formats that have samples of 16 bits too.
struct WideFormat {
  bool (*is_it)(Bytes);
  bool (*is_wide)(Bytes);
  Image (*decode)(Bytes, WideSamples&);
};
constexpr WideFormat kWideFormats[] = {{is_png, is_wide_png, decode_png},
                                       {is_tiff, is_wide_tiff, decode_tiff},
                                       {is_pnm, is_wide_pnm, decode_pnm},
                                       {is_psd, is_wide_psd, decode_psd}};

const WideFormat* wide_format_of(Bytes bytes) {
  const auto* found = std::ranges::find_if(
      kWideFormats, [&](const WideFormat& format) { return format.is_it(bytes); });
  return found == std::end(kWideFormats) ? nullptr : found;
}

Image decode(Bytes bytes, WideSamples& wide) {
  engine::require(!bytes.empty(), "the file is empty");
  if (const WideFormat* format = wide_format_of(bytes)) return format->decode(bytes, wide);
  for (const Format& format : kFormats) {
    if (format.is_it(bytes)) return format.decode(bytes);
  }
  engine::fail("the content is not JPEG, PNG, WebP, TIFF, BMP, GIF, PSD, TGA, PGM or PPM");
}

}  // namespace

void require_decodable_size(int64_t width, int64_t height, int64_t bytes_per_pixel) {
  engine::require(width >= 1 && height >= 1 && width <= kMaxSide && height <= kMaxSide &&
                      width * height <= kMaxPixels,
                  "the image claims ", width, " x ", height, " pixels; a side may have 1 to ",
                  kMaxSide, ", the whole image at most ", kMaxPixels);
  DecodeMemory::take(width * height * bytes_per_pixel);
}

void require_inside(const Box& box, Size size) {
  engine::require(box.left >= 0 && box.top >= 0 && box.width >= 1 && box.height >= 1 &&
                      box.left <= size.width - box.width && box.top <= size.height - box.height,
                  "the box of ", box.width, " x ", box.height, " pixels at (", box.left, ", ",
                  box.top, ") is not inside the image of ", size.width, " x ", size.height);
}

Image decode_image(Bytes bytes, const DecodeOptions& options) {
  WideSamples wide(options.bit_depth);
  return decode(bytes, wide);
}

bool has_image_signature(Bytes first) {
  if (wide_format_of(first) != nullptr) return true;
  return std::ranges::any_of(kFormats, [&](const Format& format) {
    return format.is_it != is_tga && format.is_it(first);
  });
}

bool has_wide_samples(Bytes bytes) {
  const WideFormat* format = wide_format_of(bytes);
  try {
    return format != nullptr && format->is_wide(bytes);
  } catch (const engine::Error&) {
    return false;
  }
}

std::optional<uint32_t> largest_wide_sample(Bytes bytes) {
  if (!has_wide_samples(bytes)) return std::nullopt;
  WideSamples wide;
  decode(bytes, wide);
  return wide.largest();
}

Image read_image(const std::filesystem::path& path, const DecodeOptions& options) {
  try {
    std::vector<uint8_t> bytes;
    read_file(path, bytes);
    return decode_image(bytes, options);
  } catch (const engine::Error& error) {
    engine::fail(path.string(), ": ", error.what());
  }
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<uint8_t> bytes = encode_png(image);
  engine::write_file_atomically(path, std::as_bytes(std::span(bytes)));
}

}  // namespace pixpro
