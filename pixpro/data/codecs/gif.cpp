// GIF: the first frame. stb_image unpacks the numbers of its colours, and the colours are looked up
// here: stb_image leaves out transparent pixels, which in Pillow have the colour of their number.
#include <algorithm>
#include <array>
#include <cstring>

#include "engine/error.h"
#include "pixpro/data/codecs/byte_reader.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/palette.h"
#include "pixpro/data/codecs/stb.h"

namespace pixpro {
namespace {

constexpr std::array<uint8_t, 768> kGrays = [] {
  std::array<uint8_t, 768> grays{};
  for (size_t i = 0; i < grays.size(); ++i) grays[i] = static_cast<uint8_t>(i / 3);
  return grays;
}();

struct Frame {
  Size canvas;
  uint8_t background = 0;  // the colour number of the canvas around the frame
  Bytes palette = kGrays;
  Box box;           // of the frame on the canvas
  Bytes descriptor;  // left, top, width, height, flags
  Bytes pixels;      // LZW codes in blocks
};

uint8_t flags_of(const Frame& frame) { return frame.descriptor[8]; }

Bytes read_block(ByteReader& in) { return in.take(in.byte()); }

void read_palette(ByteReader& in, uint8_t flags, Frame& frame) {
  const bool follows = (flags & 0x80) != 0;
  if (follows) frame.palette = in.take(size_t{6} << (flags & 7));
}

// Around the frame the canvas is transparent, if there is a transparent colour.
void read_extension(ByteReader& in, Frame& frame) {
  constexpr uint8_t kGraphicControl = 0xF9;
  const bool is_control = in.byte() == kGraphicControl;
  Bytes block = read_block(in);
  if (is_control && block.size() == 4 && (block[0] & 1) != 0) frame.background = block[3];
  while (!block.empty()) block = read_block(in);
}

void read_image(ByteReader& in, Frame& frame) {
  frame.descriptor = in.take(9);
  ByteReader descriptor(frame.descriptor, "GIF");
  const auto next = [&] { return static_cast<int>(descriptor.little_endian(2)); };
  frame.box.left = next();
  frame.box.top = next();
  frame.box.width = next();
  frame.box.height = next();
  read_palette(in, flags_of(frame), frame);
  const Bytes rest = in.rest();
  in.byte();  // bits of the first code
  while (!read_block(in).empty()) continue;
  frame.pixels = rest.first(rest.size() - in.rest().size());
}

Frame read_first_frame(Bytes bytes) {
  ByteReader in(bytes.subspan(6), "GIF");
  Frame frame;
  frame.canvas.width = static_cast<int>(in.little_endian(2));
  frame.canvas.height = static_cast<int>(in.little_endian(2));
  const uint8_t flags = in.byte();
  in.take(2);  // background colour, which programs ignore, and shape of a pixel
  read_palette(in, flags, frame);
  for (uint8_t kind = in.byte(); kind != ','; kind = in.byte()) {
    engine::require(kind == '!', "GIF: the file is damaged or has no image");
    read_extension(in, frame);
  }
  read_image(in, frame);
  // A frame that leaves the canvas extends it, as in Pillow.
  frame.canvas.width = std::max(frame.canvas.width, frame.box.left + frame.box.width);
  frame.canvas.height = std::max(frame.canvas.height, frame.box.top + frame.box.height);
  return frame;
}

// The frame alone, under a palette that gives each colour its number as gray.
std::vector<uint8_t> gray_file(const Frame& frame) {
  const Bytes size = frame.descriptor.subspan(4, 4);
  std::vector<uint8_t> file{'G', 'I', 'F', '8', '9', 'a'};
  append(file, size);
  append(file, std::array<uint8_t, 3>{0xF7, 0, 0});  // a palette of 256 colours follows
  append(file, kGrays);
  append(file, std::array<uint8_t, 5>{',', 0, 0, 0, 0});
  append(file, size);
  file.push_back(flags_of(frame) & 0x40);  // interlaced
  append(file, frame.pixels);
  return file;
}

}  // namespace

bool is_gif(Bytes bytes) {
  return bytes.size() >= 6 && (std::memcmp(bytes.data(), "GIF87a", 6) == 0 ||
                               std::memcmp(bytes.data(), "GIF89a", 6) == 0);
}

Image decode_gif(Bytes bytes) {
  const Frame frame = read_first_frame(bytes);
  const Box& box = frame.box;
  require_decodable_size(box.width, box.height);
  require_decodable_size(frame.canvas.width, frame.canvas.height);
  // A code has at most 12 bits and stands for at most 4096 pixels.
  engine::require(int64_t{box.width} * box.height / 2731 <= std::ssize(frame.pixels),
                  "GIF: ", frame.pixels.size(), " bytes cannot hold ", box.width, " x ", box.height,
                  " pixels");
  const std::vector<uint8_t> unpacked =
      unpack_with_stb("GIF", gray_file(frame), {box.width, box.height}, 2);
  const auto width = static_cast<size_t>(frame.canvas.width);
  std::vector<uint8_t> numbers(width * static_cast<size_t>(frame.canvas.height), frame.background);
  const uint8_t* pixel = unpacked.data();
  for (int y = 0; y < box.height; ++y) {
    uint8_t* out = numbers.data() + width * static_cast<size_t>(box.top + y) + box.left;
    for (int x = 0; x < box.width; ++x, pixel += 2) {
      engine::require(pixel[1] != 0, "GIF: the frame ends before its last pixel");
      out[x] = pixel[0];
    }
  }
  return look_up(numbers, frame.palette, frame.canvas);
}

}  // namespace pixpro
