// Truevision TGA with and without run lengths: gray, with a palette, or RGB.
#include <array>

#include "engine/error.h"
#include "pixpro/data/codecs/byte_reader.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/orientation.h"
#include "pixpro/data/codecs/palette.h"
#include "pixpro/data/codecs/stb.h"

namespace pixpro {
namespace {

constexpr size_t kHeaderBytes = 18;

enum Kind : uint8_t { kIndexed = 1, kRgb = 2, kGray = 3, kRuns = 8 };  // kRuns is added to others

struct Header {
  uint8_t text_bytes = 0, palettes = 0, kind = 0;
  uint32_t first_color = 0, colors = 0;
  uint8_t color_bits = 0;  // of the palette
  Size size;
  uint8_t pixel_bits = 0, flags = 0;

  bool has_runs() const { return (kind & kRuns) != 0; }
  bool is_indexed() const { return (kind & ~kRuns) == kIndexed; }
};

size_t bytes_of(uint8_t bits) { return (bits + 7u) / 8; }

bool are_rgb_bits(uint8_t bits) { return bits == 15 || bits == 16 || bits == 24 || bits == 32; }

Header read_header(Bytes bytes) {
  ByteReader in(bytes, "TGA");
  Header header;
  header.text_bytes = in.byte();
  header.palettes = in.byte();
  header.kind = in.byte();
  header.first_color = in.little_endian(2);
  header.colors = in.little_endian(2);
  header.color_bits = in.byte();
  in.take(4);  // place on a screen
  header.size.width = static_cast<int>(in.little_endian(2));
  header.size.height = static_cast<int>(in.little_endian(2));
  header.pixel_bits = in.byte();
  header.flags = in.byte();
  return header;
}

bool is_known(const Header& header) {
  const bool is_interleaved = (header.flags & 0xC0) != 0;
  if (is_interleaved) return false;
  switch (header.kind & ~kRuns) {
    case kIndexed:
      return header.palettes == 1 && header.pixel_bits == 8 && are_rgb_bits(header.color_bits) &&
             header.colors > 0;
    case kRgb:
      return header.palettes == 0 && are_rgb_bits(header.pixel_bits);
    case kGray:
      return header.palettes == 0 && (header.pixel_bits == 8 || header.pixel_bits == 16);
    default:
      return false;
  }
}

// Whether the runs are whole and cover all pixels.
bool cover(Bytes runs, int64_t pixels, size_t pixel_bytes) {
  size_t at = 0;
  while (pixels > 0 && at < runs.size()) {
    const bool repeats = (runs[at] & 128) != 0;
    const size_t count = 1u + (runs[at] & 127);
    at += 1 + pixel_bytes * (repeats ? 1 : count);
    pixels -= static_cast<int64_t>(count);
  }
  return pixels <= 0 && at <= runs.size();
}

// Pixels without a palette, from the upper left on.
std::vector<uint8_t> unpack(uint8_t kind, uint8_t bits, Size size, Bytes packed, int channels) {
  std::vector<uint8_t> file{0, 0, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  append_little_endian(file, static_cast<uint32_t>(size.width), 2);
  append_little_endian(file, static_cast<uint32_t>(size.height), 2);
  file.push_back(bits);
  file.push_back(0x20);  // the first row is the upper one
  append(file, packed);
  return unpack_with_stb("TGA", file, size, channels);
}

std::vector<uint8_t> read_palette(ByteReader& in, const Header& header) {
  const Bytes stored = in.take(header.colors * bytes_of(header.color_bits));
  std::vector<uint8_t> palette(size_t{3} * header.first_color);
  append(palette, unpack(kRgb, header.color_bits, {static_cast<int>(header.colors), 1}, stored, 3));
  return palette;
}

}  // namespace

// TGA has no signature, so the header must make sense.
bool is_tga(Bytes bytes) { return bytes.size() > kHeaderBytes && is_known(read_header(bytes)); }

Image decode_tga(Bytes bytes) {
  const Header header = read_header(bytes);
  const Size size = header.size;
  require_decodable_size(size.width, size.height);
  ByteReader in(bytes, "TGA");
  in.take(kHeaderBytes + header.text_bytes);
  std::vector<uint8_t> palette;
  if (header.is_indexed()) palette = read_palette(in, header);
  const int64_t pixels = int64_t{size.width} * size.height;
  const size_t pixel_bytes = bytes_of(header.pixel_bits);
  const bool is_whole = header.has_runs()
                            ? cover(in.rest(), pixels, pixel_bytes)
                            : static_cast<size_t>(pixels) * pixel_bytes <= in.rest().size();
  engine::require(is_whole, "TGA: the file is cut short");
  constexpr std::array<uint16_t, 4> kOrientations{4, 3, 1, 2};
  const uint16_t orientation = kOrientations[header.flags >> 4 & 3];
  if (header.is_indexed()) {  // unpacked as gray
    const uint8_t kind = header.has_runs() ? kGray + kRuns : kGray;
    const std::vector<uint8_t> numbers = unpack(kind, 8, size, in.rest(), 1);
    return upright(look_up(numbers, palette, size), orientation);
  }
  std::vector<uint8_t> rgb = unpack(header.kind, header.pixel_bits, size, in.rest(), 3);
  return upright(Image(size, std::move(rgb)), orientation);
}

}  // namespace pixpro
