#include <algorithm>
#include <array>
#include <memory>

#include "engine/error.h"
#include "pixpro/data/codec.h"

// The libraries' implementation, kept to this file.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#include <stb/stb_image.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace pixpro {
namespace {

struct Release {
  void operator()(uint8_t* pixels) const { stbi_image_free(pixels); }
};

void append(void* bytes, void* data, int size) {
  const auto* first = static_cast<const uint8_t*>(data);
  auto& all = *static_cast<std::vector<uint8_t>*>(bytes);
  all.insert(all.end(), first, first + size);
}

int64_t big_endian(std::span<const uint8_t> bytes) {
  return int64_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
}

}  // namespace

bool is_png(std::span<const uint8_t> bytes) {
  constexpr std::array<uint8_t, 8> kSignature{0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  return bytes.size() >= kSignature.size() &&
         std::equal(kSignature.begin(), kSignature.end(), bytes.begin());
}

Image decode_png(std::span<const uint8_t> bytes) {
  // Signature, then the header chunk: length, name, width, height, ...
  engine::require(bytes.size() >= 24 && bytes.size() <= size_t{1} << 30, "PNG: the file has ",
                  bytes.size(), " bytes");
  require_decodable_size(big_endian(bytes.subspan(16)), big_endian(bytes.subspan(20)));
  int width = 0, height = 0, channels = 0;
  // Three channels are asked for: gray is repeated, a palette looked up, alpha left out (not
  // blended), of 16 bits the upper 8 kept; all as Pillow does it.
  const std::unique_ptr<uint8_t, Release> pixels(stbi_load_from_memory(
      bytes.data(), static_cast<int>(bytes.size()), &width, &height, &channels, 3));
  engine::require(pixels != nullptr, "PNG: ", stbi_failure_reason());
  Image image(width, height);
  std::copy_n(pixels.get(), image.rgb.size(), image.rgb.begin());
  return image;
}

std::vector<uint8_t> encode_png(const Image& image) {
  std::vector<uint8_t> bytes;
  const int written = stbi_write_png_to_func(append, &bytes, image.width, image.height, 3,
                                             image.rgb.data(), 3 * image.width);
  engine::require(written != 0, "PNG: cannot encode ", image.width, " x ", image.height, " pixels");
  return bytes;
}

}  // namespace pixpro
