#include "pixpro/data/codecs/stb.h"

#include <limits>
#include <memory>

#include "engine/error.h"

// Only the formats that no other library here reads. Compilers do not warn about system headers.
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ONLY_PSD
#define STBI_ONLY_TGA
#define STBI_NO_STDIO
#define STBI_NO_LINEAR
#define STBI_MAX_DIMENSIONS 131000  // bytes of a PSD row; images are checked before
#include <stb/stb_image.h>

namespace pixpro {

std::vector<uint8_t> unpack_with_stb(const char* format, Bytes file, Size size, int channels) {
  engine::require(file.size() <= std::numeric_limits<int>::max(), format, ": ", file.size(),
                  " bytes are too many");
  int width = 0, height = 0, stored_channels = 0;
  const std::unique_ptr<uint8_t, decltype(&stbi_image_free)> pixels(
      stbi_load_from_memory(file.data(), static_cast<int>(file.size()), &width, &height,
                            &stored_channels, channels),
      stbi_image_free);
  engine::require(pixels != nullptr && width == size.width && height == size.height, format,
                  ": the pixels are damaged: ", pixels ? "another size" : stbi_failure_reason());
  return {pixels.get(), pixels.get() + int64_t{channels} * width * height};
}

void append(std::vector<uint8_t>& file, Bytes part) {
  file.insert(file.end(), part.begin(), part.end());
}

void append_little_endian(std::vector<uint8_t>& file, uint32_t number, size_t bytes) {
  for (size_t i = 0; i < bytes; ++i) file.push_back(static_cast<uint8_t>(number >> (8 * i)));
}

void append_big_endian(std::vector<uint8_t>& file, uint32_t number, size_t bytes) {
  for (size_t i = bytes; i-- > 0;) file.push_back(static_cast<uint8_t>(number >> (8 * i)));
}

}  // namespace pixpro
