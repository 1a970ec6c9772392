#include "pixpro/data/image.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "engine/atomic_file.h"
#include "engine/error.h"
#include "pixpro/data/codec.h"

namespace pixpro {
namespace {

constexpr int64_t kMaxSide = 65500;  // what a JPEG can say
constexpr int64_t kMaxPixels = int64_t{1} << 28;
constexpr int64_t kMaxBytes = int64_t{1} << 30;

std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  // Folders can be opened too, and opening a named pipe would wait for ever.
  engine::require(!std::filesystem::exists(path) || std::filesystem::is_regular_file(path),
                  "not a regular file");
  std::ifstream file(path, std::ios::binary);
  engine::require(file.is_open(), "cannot open the file: ", std::strerror(errno));
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
  engine::require(size <= kMaxBytes, "the file has ", size, " bytes, more than ", kMaxBytes);
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  file.read(reinterpret_cast<char*>(bytes.data()), size);
  engine::require(file.gcount() == size, "read only ", file.gcount(), " of ", size, " bytes");
  return bytes;
}

}  // namespace

void require_decodable_size(int64_t width, int64_t height) {
  engine::require(width >= 1 && height >= 1 && width <= kMaxSide && height <= kMaxSide &&
                      width * height <= kMaxPixels,
                  "the picture claims ", width, " x ", height, " pixels; a side may have 1 to ",
                  kMaxSide, ", the whole at most ", kMaxPixels);
}

Image decode_image(std::span<const uint8_t> bytes) {
  engine::require(!bytes.empty(), "the file is empty");
  if (is_jpeg(bytes)) return decode_jpeg(bytes);
  if (is_png(bytes)) return decode_png(bytes);
  engine::fail("the content is neither JPEG nor PNG");
}

std::vector<uint8_t> read_file(const std::filesystem::path& path) {
  try {
    return read_bytes(path);
  } catch (const engine::Error& error) {
    engine::fail(path.string(), ": ", error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    engine::fail(path.string(), ": ", error.code().message());
  }
}

Image read_image(const std::filesystem::path& path) {
  const std::vector<uint8_t> bytes = read_file(path);
  try {
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
