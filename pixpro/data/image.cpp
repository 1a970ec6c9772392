#include "pixpro/data/image.h"

#include "engine/error.h"
#include "engine/files/atomic_file.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/sources/file_bytes.h"

namespace pixpro {
namespace {

constexpr int64_t kMaxSide = 65500;              // what a JPEG can say
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION  // large pictures only slow a fuzzer down
constexpr int64_t kMaxPixels = int64_t{1} << 20;
#else
constexpr int64_t kMaxPixels = int64_t{1} << 28;
#endif

struct Format {
  bool (*is_it)(Bytes);
  Image (*decode)(Bytes);
};
constexpr Format kFormats[] = {{is_jpeg, decode_jpeg}, {is_png, decode_png}, {is_webp, decode_webp},
                               {is_tiff, decode_tiff}, {is_bmp, decode_bmp}, {is_pnm, decode_pnm}};

}  // namespace

void require_decodable_size(int64_t width, int64_t height) {
  engine::require(width >= 1 && height >= 1 && width <= kMaxSide && height <= kMaxSide &&
                      width * height <= kMaxPixels,
                  "the picture claims ", width, " x ", height, " pixels; a side may have 1 to ",
                  kMaxSide, ", the whole at most ", kMaxPixels);
}

Image decode_image(Bytes bytes) {
  engine::require(!bytes.empty(), "the file is empty");
  for (const Format& format : kFormats) {
    if (format.is_it(bytes)) return format.decode(bytes);
  }
  engine::fail("the content is none of JPEG, PNG, WebP, TIFF, BMP, PBM, PGM and PPM");
}

Image read_image(const std::filesystem::path& path) {
  try {
    std::vector<uint8_t> bytes;
    read_file(path, bytes);
    return decode_image(bytes);
  } catch (const engine::Error& error) {
    engine::fail(path.string(), ": ", error.what());
  }
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<uint8_t> bytes = encode_png(image);
  engine::write_file_atomically(path, std::as_bytes(std::span(bytes)));
}

}  // namespace pixpro
