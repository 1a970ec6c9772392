// Windows and OS/2 bitmaps: 1, 4 and 8 bits with a palette (plain and run-length encoded), 16, 24
// and 32 bits. What Pillow has no rule for (other colour masks, JPEG and PNG inside) is refused.
#include <algorithm>
#include <array>

#include "engine/error.h"
#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

enum Compression : uint32_t { kPlain = 0, kRle8 = 1, kRle4 = 2, kMasks = 3 };

uint32_t little_endian(Bytes bytes, size_t at, size_t count) {
  engine::require(at <= bytes.size() && count <= bytes.size() - at, "BMP: the file is cut short");
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value |= uint32_t{bytes[at + i]} << (8 * i);
  return value;
}

struct Header {
  int64_t width = 0, height = 0;
  bool top_down = false;
  uint32_t bits = 0, compression = kPlain;
  std::array<uint32_t, 4> masks{};  // red, green, blue, alpha; all 0: none given
  size_t palette_at = 0, palette_colors = 0, palette_stride = 4;
  size_t pixels_at = 0;

  size_t row_bytes() const { return (static_cast<size_t>(width) * bits + 7) / 8; }
  size_t stride() const { return (static_cast<size_t>(width) * bits + 31) / 32 * 4; }
};

void read_masks(Bytes bytes, size_t header_bytes, Header& header) {
  const size_t count = header_bytes >= 56 ? 4 : 3;
  for (size_t i = 0; i < count; ++i) header.masks[i] = little_endian(bytes, 54 + 4 * i, 4);
  if (header_bytes == 40) header.palette_at += 12;  // they follow the header
}

Header read_header(Bytes bytes) {
  const uint32_t header_bytes = little_endian(bytes, 14, 4);
  constexpr std::array<uint32_t, 7> kKnown{12, 40, 52, 56, 64, 108, 124};
  engine::require(std::ranges::find(kKnown, header_bytes) != kKnown.end(), "BMP: a header of ",
                  header_bytes, " bytes is of no known kind");
  Header header;
  header.palette_at = 14 + header_bytes;
  if (header_bytes == 12) {  // OS/2 1.x
    header.width = little_endian(bytes, 18, 2);
    header.height = little_endian(bytes, 20, 2);
    header.bits = little_endian(bytes, 24, 2);
    header.palette_stride = 3;
  } else {
    const int64_t height = static_cast<int32_t>(little_endian(bytes, 22, 4));
    header.width = little_endian(bytes, 18, 4);
    header.height = height < 0 ? -height : height;
    header.top_down = height < 0;
    header.bits = little_endian(bytes, 28, 2);
    header.compression = little_endian(bytes, 30, 4);
    header.palette_colors = little_endian(bytes, 46, 4);
    if (header.compression == kMasks) read_masks(bytes, header_bytes, header);
  }
  const size_t most = size_t{1} << std::min(header.bits, 8u);
  if (header.palette_colors == 0) header.palette_colors = most;
  header.pixels_at = little_endian(bytes, 10, 4);
  if (header.bits <= 8 && header.pixels_at <= 14 + header_bytes) {  // a lie that some programs tell
    header.pixels_at = header.palette_at + header.palette_stride * header.palette_colors;
  }
  header.palette_colors = std::min(header.palette_colors, most);
  return header;
}

// Where in a pixel of 16, 24 or 32 bits a colour lies.
struct Channel {
  uint32_t shift, largest;
};

std::array<Channel, 3> channels_of(const Header& header) {
  std::array<uint32_t, 3> masks{header.masks[0], header.masks[1], header.masks[2]};
  if (masks == std::array<uint32_t, 3>{}) {
    masks = header.bits == 16 ? std::array<uint32_t, 3>{0x7C00, 0x3E0, 0x1F}
                              : std::array<uint32_t, 3>{0xFF0000, 0xFF00, 0xFF};
  }
  std::array<Channel, 3> channels{};
  for (size_t c = 0; c < 3; ++c) {
    const uint32_t mask = masks[c], lowest = mask & (~mask + 1);
    const uint32_t largest = lowest == 0 ? 0 : mask / lowest;
    const bool is_known = header.bits == 16 ? largest == 31 || largest == 63 : largest == 255;
    engine::require(is_known, "BMP: colour masks that nobody else reads");
    while ((uint32_t{1} << channels[c].shift) != lowest) ++channels[c].shift;
    channels[c].largest = largest;
  }
  return channels;
}

void unpack_colors(Bytes row, const Header& header, const std::array<Channel, 3>& channels,
                   uint8_t* out) {
  const size_t pixel_bytes = header.bits / 8;
  for (size_t x = 0; x < static_cast<size_t>(header.width); ++x) {
    const uint32_t pixel = little_endian(row, x * pixel_bytes, pixel_bytes);
    for (const Channel& channel : channels) {
      *out++ =
          static_cast<uint8_t>((pixel >> channel.shift & channel.largest) * 255 / channel.largest);
    }
  }
}

// A colour that the palette lacks is black.
void look_up(Bytes palette, const Header& header, uint32_t index, uint8_t* out) {
  if (index >= header.palette_colors) return;
  const uint8_t* blue = palette.data() + header.palette_stride * index;
  std::reverse_copy(blue, blue + 3, out);
}

Bytes palette_of(Bytes bytes, const Header& header) {
  const size_t needed = header.palette_stride * header.palette_colors;
  engine::require(header.palette_at <= bytes.size() && needed <= bytes.size() - header.palette_at,
                  "BMP: the file is cut short in its palette");
  return bytes.subspan(header.palette_at, needed);
}

void decode_plain(Bytes bytes, const Header& header, Image& image) {
  const size_t bits = header.bits;
  const Bytes palette = bits <= 8 ? palette_of(bytes, header) : Bytes{};
  const auto channels = bits > 8 ? channels_of(header) : std::array<Channel, 3>{};
  for (int y = 0; y < image.height; ++y) {
    const int row_index = header.top_down ? y : image.height - 1 - y;
    const Bytes row = bytes.subspan(
        header.pixels_at + header.stride() * static_cast<size_t>(row_index), header.row_bytes());
    uint8_t* out = image.row(y);
    if (bits > 8) {
      unpack_colors(row, header, channels, out);
      continue;
    }
    for (size_t x = 0; x < static_cast<size_t>(image.width); ++x, out += 3) {
      const size_t bit = x * bits;
      look_up(palette, header, row[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1), out);
    }
  }
}

// The indices of a run-length encoded picture, in the order of the file's rows. Runs end at the
// row's end; rows or a rest left out get colour 0.
std::vector<uint8_t> decode_runs(Bytes bytes, const Header& header) {
  const auto width = static_cast<size_t>(header.width);
  const size_t total = width * static_cast<size_t>(header.height);
  const bool four_bits = header.compression == kRle4;
  std::vector<uint8_t> indices;
  indices.reserve(total);
  size_t at = header.pixels_at, x = 0;
  const auto next = [&] { return static_cast<uint8_t>(little_endian(bytes, at++, 1)); };
  const auto skip = [&](size_t count) {
    indices.resize(std::min(total, indices.size() + count));
    x = indices.size() % width;
  };
  while (indices.size() < total) {
    const uint8_t count = next(), value = next();
    if (count > 0) {  // a run of one colour, or of two in turn
      const size_t fits =
          std::min({size_t{count}, width - std::min(x, width), total - indices.size()});
      for (size_t i = 0; i < fits; ++i) {
        indices.push_back(!four_bits ? value : i % 2 == 0 ? value >> 4 : value & 15);
      }
      x += fits;
    } else if (value == 0) {  // end of the row
      skip((width - indices.size() % width) % width);
      x = 0;
    } else if (value == 1) {  // end of the picture
      engine::fail("BMP: the picture ends before its last row");
    } else if (value == 2) {  // a jump to the right and up
      const size_t right = next(), up = next();
      skip(right + up * width);
    } else {  // so many colours one by one, padded to an even place in the file
      const size_t pixels = std::min(total - indices.size(), size_t{value});
      uint8_t pair = 0;
      for (size_t i = 0; i < pixels; ++i) {
        if (!four_bits || i % 2 == 0) pair = next();
        indices.push_back(!four_bits ? pair : i % 2 == 0 ? pair >> 4 : pair & 15);
      }
      x += value;
      at += at % 2;
    }
  }
  return indices;
}

void decode_rle(Bytes bytes, const Header& header, Image& image) {
  const Bytes palette = palette_of(bytes, header);
  const std::vector<uint8_t> indices = decode_runs(bytes, header);
  const auto width = static_cast<size_t>(image.width);
  for (int y = 0; y < image.height; ++y) {
    const int row_index = header.top_down ? y : image.height - 1 - y;
    const uint8_t* row = indices.data() + width * static_cast<size_t>(row_index);
    for (size_t x = 0; x < width; ++x) look_up(palette, header, row[x], image.row(y) + 3 * x);
  }
}

}  // namespace

bool is_bmp(Bytes bytes) { return bytes.size() >= 2 && bytes[0] == 'B' && bytes[1] == 'M'; }

Image decode_bmp(Bytes bytes) {
  const Header header = read_header(bytes);
  require_decodable_size(header.width, header.height);
  constexpr std::array<uint32_t, 6> kBits{1, 4, 8, 16, 24, 32};
  engine::require(std::ranges::find(kBits, header.bits) != kBits.end(), "BMP: ", header.bits,
                  " bits a pixel, expected 1, 4, 8, 16, 24 or 32");
  const bool is_rle = (header.compression == kRle8 && header.bits == 8) ||
                      (header.compression == kRle4 && header.bits == 4);
  const bool is_plain =
      header.compression == kPlain || (header.compression == kMasks && header.bits > 8);
  engine::require(is_rle || is_plain, "BMP: compression ", header.compression, " with ",
                  header.bits, " bits a pixel");
  if (is_plain) {
    const size_t needed =
        header.stride() * static_cast<size_t>(header.height - 1) + header.row_bytes();
    engine::require(header.pixels_at <= bytes.size() && needed <= bytes.size() - header.pixels_at,
                    "BMP: the file is cut short");
  }
  Image image(static_cast<int>(header.width), static_cast<int>(header.height));
  if (is_rle) {
    decode_rle(bytes, header, image);
  } else {
    decode_plain(bytes, header, image);
  }
  return image;
}

}  // namespace pixpro
