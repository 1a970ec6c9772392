#include "pixpro/data/image.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

#include "engine/error.h"
#include "pixpro/data/codec.h"

namespace pixpro {
namespace {

constexpr int64_t kMaxSide = 65500;  // what a JPEG can say
constexpr int64_t kMaxPixels = int64_t{1} << 28;
constexpr int64_t kMaxBytes = int64_t{1} << 30;

std::vector<uint8_t> read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  engine::require(file.is_open(), "cannot open the file: ", std::strerror(errno));
  engine::require(std::filesystem::is_regular_file(path), "not a file");  // folders open as well
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
  engine::require(size <= kMaxBytes, "the file has ", size, " bytes, more than ", kMaxBytes);
  std::vector<uint8_t> bytes(static_cast<size_t>(size));
  file.read(reinterpret_cast<char*>(bytes.data()), size);
  engine::require(file.gcount() == size, "read only ", file.gcount(), " of ", size, " bytes");
  return bytes;
}

class File {
 public:
  explicit File(const std::string& path)
      : descriptor_(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {}
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool write_and_flush(std::span<const uint8_t> bytes) const {
    while (!bytes.empty()) {
      const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return fsync(descriptor_) == 0;
  }

 private:
  int descriptor_;  // negative where the file could not be opened: then writing fails
};

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

Image read_image(const std::filesystem::path& path) {
  try {
    return decode_image(read_bytes(path));
  } catch (const engine::Error& error) {
    engine::fail(path.string(), ": ", error.what());
  } catch (const std::filesystem::filesystem_error& error) {
    engine::fail(path.string(), ": ", error.code().message());
  }
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<uint8_t> bytes = encode_png(image);
  const std::string temporary = path.string() + ".part";
  const bool written =
      File(temporary).write_and_flush(bytes) && std::rename(temporary.c_str(), path.c_str()) == 0;
  if (written) return;
  const int reason = errno;
  unlink(temporary.c_str());
  engine::fail("cannot write ", path.string(), ": ", std::strerror(reason));
}

}  // namespace pixpro
