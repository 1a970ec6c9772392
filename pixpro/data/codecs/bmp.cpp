// Windows bitmaps without compression: 1, 4 and 8 bits with a palette, 24 and 32 bits. Refused are
// run lengths, which stb_image does not read, and 16 bits and OS/2's palettes, which it reads
// differently from Pillow.
#include <algorithm>
#include <array>
#include <cmath>

#include "engine/error.h"
#include "pixpro/data/codecs/byte_reader.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/stb.h"

namespace pixpro {
namespace {

constexpr size_t kPixelsAt = 10;  // where the file says where its pixels begin

struct Header {
  int64_t width = 0, height = 0;
  uint32_t bits = 0, compression = 0;
  size_t bytes = 0;  // from the beginning of the file to its palette
  size_t colors = 0, pixels_at = 0;

  size_t all_colors() const { return bits > 8 ? 0 : size_t{1} << bits; }  // that bits can name
  size_t pixel_bytes() const {  // the last row may end without padding
    const size_t row = (static_cast<size_t>(width) * bits + 7) / 8, stride = (row + 3) / 4 * 4;
    return stride * static_cast<size_t>(height - 1) + row;
  }
};

Header read_header(Bytes file) {
  ByteReader in(file, "BMP");
  Header header;
  in.take(kPixelsAt);
  header.pixels_at = in.little_endian(4);
  const uint32_t header_bytes = in.little_endian(4);
  engine::require(header_bytes == 40 || header_bytes == 108 || header_bytes == 124,
                  "BMP: a header of ", header_bytes, " bytes, expected 40, 108 or 124");
  header.width = in.little_endian(4);
  header.height = std::abs(int64_t{static_cast<int32_t>(in.little_endian(4))});
  in.take(2);
  header.bits = in.little_endian(2);
  header.compression = in.little_endian(4);
  in.take(12);
  header.colors = in.little_endian(4);
  if (header.colors == 0 || header.colors > header.all_colors()) {
    header.colors = header.all_colors();
  }
  const bool masks_follow = header_bytes == 40 && header.compression != 0;
  header.bytes = 14 + header_bytes + (masks_follow ? 12 : 0);
  const bool says_nothing = header.bits <= 8 && header.pixels_at <= header.bytes;
  if (says_nothing) header.pixels_at = header.bytes + 4 * header.colors;
  return header;
}

void check(const Header& header) {
  require_decodable_size(header.width, header.height);
  constexpr std::array<uint32_t, 5> kBits{1, 4, 8, 24, 32};
  engine::require(std::ranges::find(kBits, header.bits) != kBits.end(), "BMP: ", header.bits,
                  " bits per pixel, expected 1, 4, 8, 24 or 32");
  const bool has_masks = header.compression == 3 && header.bits == 32;
  engine::require(header.compression == 0 || has_masks, "BMP: compression ", header.compression,
                  " with ", header.bits, " bits per pixel, expected none");
}

// The file without gaps, and with a palette of all colours that the bits of a pixel can name. Those
// that the file lacks are black; stb_image would read them from memory that nobody has set.
std::vector<uint8_t> completed(Bytes bytes, const Header& header) {
  ByteReader in(bytes, "BMP");
  const Bytes head = in.take(header.bytes);
  const Bytes palette = in.take(4 * header.colors);
  ByteReader pixels(bytes, "BMP");
  pixels.take(header.pixels_at);
  std::vector<uint8_t> file(head.begin(), head.begin() + kPixelsAt);
  const size_t palette_bytes = 4 * header.all_colors();
  append_little_endian(file, static_cast<uint32_t>(head.size() + palette_bytes), 4);
  append(file, head.subspan(file.size()));
  append(file, palette);
  file.resize(head.size() + palette_bytes);
  append(file, pixels.take(header.pixel_bytes()));
  return file;
}

}  // namespace

bool is_bmp(Bytes bytes) { return bytes.size() >= 2 && bytes[0] == 'B' && bytes[1] == 'M'; }

Image decode_bmp(Bytes bytes) {
  const Header header = read_header(bytes);
  check(header);
  const Size size{static_cast<int>(header.width), static_cast<int>(header.height)};
  return Image(size, unpack_with_stb("BMP", completed(bytes, header), size, 3));
}

}  // namespace pixpro
