#include <turbojpeg.h>

#include <cstring>
#include <memory>
#include <type_traits>

#include "engine/error.h"
#include "pixpro/data/codec.h"

namespace pixpro {
namespace {

struct DestroyHandle {
  void operator()(void* handle) const { tjDestroy(handle); }
};
using Handle = std::unique_ptr<std::remove_pointer_t<tjhandle>, DestroyHandle>;

// 500 scans at most: a tiny progressive file cannot keep a worker busy for minutes.
constexpr int kFlags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;

// Whether the end marker is there, found by walking from marker to marker. A file cut short would
// still decode, its lower part an even gray or its details missing.
bool is_complete(std::span<const uint8_t> bytes) {
  size_t at = 2;
  while (at + 1 < bytes.size()) {
    const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - 1 - at);
    if (found == nullptr) return false;
    at = static_cast<size_t>(static_cast<const uint8_t*>(found) - bytes.data());
    const uint8_t marker = bytes[at + 1];
    if (marker == 0xD9) return true;
    // A pixel byte 0xFF, a restart marker, padding: nothing to jump over.
    const bool is_bare = marker <= 0x01 || (marker >= 0xD0 && marker <= 0xD8) || marker == 0xFF;
    if (is_bare || at + 3 >= bytes.size()) {
      ++at;
    } else {
      at += 2u + (size_t{bytes[at + 2]} << 8 | bytes[at + 3]);
    }
  }
  return false;
}

// Other damage earns a warning and leaves a picture, as with Pillow.
void decompress(tjhandle handle, std::span<const uint8_t> bytes, uint8_t* pixels, int width,
                int height, TJPF format) {
  const int status =
      tjDecompress2(handle, bytes.data(), bytes.size(), pixels, width, 0, height, format, kFlags);
  engine::require(status == 0 || tjGetErrorCode(handle) == TJERR_WARNING,
                  "JPEG: ", tjGetErrorStr2(handle));
}

// Photo editors store CMYK inverted, so that 255 is no ink: then red = cyan * black / 255.
void cmyk_to_rgb(std::span<const uint8_t> cmyk, Image& image) {
  for (int64_t p = 0; p < image.pixels(); ++p) {
    const uint32_t black = cmyk[static_cast<size_t>(4 * p + 3)];
    for (int64_t c = 0; c < 3; ++c) {
      const uint32_t ink = 255u - cmyk[static_cast<size_t>(4 * p + c)];
      const uint32_t product = ink * black + 128;
      const uint32_t darker = ((product >> 8) + product) >> 8;  // ink * black / 255, rounded
      image.rgb[static_cast<size_t>(3 * p + c)] = static_cast<uint8_t>(black - darker);
    }
  }
}

}  // namespace

bool is_jpeg(std::span<const uint8_t> bytes) {
  return bytes.size() >= 3 && bytes[0] == 0xFF && bytes[1] == 0xD8 && bytes[2] == 0xFF;
}

Image decode_jpeg(std::span<const uint8_t> bytes) {
  const Handle handle(tjInitDecompress());
  engine::require(handle != nullptr, "JPEG: cannot start the decoder: ", tjGetErrorStr2(nullptr));
  int width = 0, height = 0, subsampling = 0, colors = 0;
  const int status = tjDecompressHeader3(handle.get(), bytes.data(), bytes.size(), &width, &height,
                                         &subsampling, &colors);
  engine::require(status == 0, "JPEG: ", tjGetErrorStr2(handle.get()));
  require_decodable_size(width, height);
  engine::require(is_complete(bytes), "JPEG: the file is cut short");
  Image image(width, height);
  if (colors == TJCS_CMYK || colors == TJCS_YCCK) {
    std::vector<uint8_t> cmyk(static_cast<size_t>(4 * image.pixels()));
    decompress(handle.get(), bytes, cmyk.data(), width, height, TJPF_CMYK);
    cmyk_to_rgb(cmyk, image);
  } else {
    decompress(handle.get(), bytes, image.rgb.data(), width, height, TJPF_RGB);
  }
  return image;
}

}  // namespace pixpro
