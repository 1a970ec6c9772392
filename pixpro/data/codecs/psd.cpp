// Photoshop's files: the image that all layers make up, in gray, with a palette or in RGB, of 8 or
// 16 bits. stb_image unpacks its planes, but not alpha: it would take a white background out of the
// colours, which Pillow leaves as they are.
#include <cstring>

#include "engine/error.h"
#include "pixpro/data/codecs/byte_reader.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/stb.h"

namespace pixpro {
namespace {

enum Mode : uint32_t { kGray = 1, kIndexed = 2, kRgb = 3, kDuotone = 8 };

struct Header {
  uint32_t channels = 0, depth = 0, mode = 0;
  int64_t width = 0, height = 0;

  uint8_t planes() const { return mode == kRgb ? 3 : 1; }  // the first of the channels
  size_t sample_bytes() const { return depth / 8; }
  size_t row_bytes() const { return sample_bytes() * static_cast<size_t>(width); }
  size_t rows() const { return planes() * static_cast<size_t>(height); }  // of all planes
};

Header read_header(ByteReader& in) {
  in.take(4);  // signature
  const uint32_t version = in.big_endian(2);
  engine::require(version == 1, "PSD: version ", version, ", expected 1");
  in.take(6);  // unused
  Header header;
  header.channels = in.big_endian(2);
  header.height = in.big_endian(4);
  header.width = in.big_endian(4);
  header.depth = in.big_endian(2);
  header.mode = in.big_endian(2);
  require_decodable_size(header.width, header.height);
  engine::require(header.mode == kGray || header.mode == kIndexed || header.mode == kRgb ||
                      header.mode == kDuotone,
                  "PSD: colour mode ", header.mode,
                  ", expected 1 (gray), 2 (palette), 3 (RGB) or 8 (duotone)");
  engine::require(header.depth == 8 || (header.depth == 16 && header.mode != kIndexed),
                  "PSD: ", header.depth, " bits per sample, expected 8, or 16 without a palette");
  engine::require(header.channels >= header.planes(), "PSD: ", header.channels,
                  " channels are too few for these colours");
  return header;
}

// The bytes that the planes' rows are packed in.
Bytes take_packed(ByteReader& in, const Header& header, bool has_runs) {
  const size_t unpacked = header.row_bytes() * header.rows();
  if (!has_runs) return in.take(unpacked);
  const size_t lengths = size_t{2} * header.channels * static_cast<size_t>(header.height);
  ByteReader row_lengths(in.take(lengths), "PSD");
  size_t packed = 0;
  for (size_t row = 0; row < header.rows(); ++row) packed += row_lengths.big_endian(2);
  engine::require(packed >= unpacked / 64, "PSD: ", packed, " bytes cannot hold ", header.width,
                  " x ", header.height, " pixels");  // two bytes unpack to at most 128
  return in.take(packed);
}

// A file of the planes alone, as channels of 8-bit RGB. A row of 16 bits is one of twice the width.
std::vector<uint8_t> plain_file(const Header& header, bool has_runs, Bytes packed) {
  std::vector<uint8_t> file{'8', 'B', 'P', 'S', 0, 1, 0, 0, 0, 0, 0, 0};
  append_big_endian(file, header.planes(), 2);
  append_big_endian(file, static_cast<uint32_t>(header.height), 4);
  append_big_endian(file, static_cast<uint32_t>(header.row_bytes()), 4);
  append_big_endian(file, 8, 2);
  append_big_endian(file, kRgb, 2);
  file.resize(file.size() + 12);  // no palette, resources and layers
  append_big_endian(file, has_runs ? 1 : 0, 2);
  if (has_runs) file.resize(file.size() + 2 * header.rows());  // stb_image skips their lengths
  append(file, packed);
  return file;
}

}  // namespace

bool is_psd(Bytes bytes) { return bytes.size() >= 4 && std::memcmp(bytes.data(), "8BPS", 4) == 0; }

bool is_wide_psd(Bytes bytes) {
  ByteReader in(bytes, "PSD");
  return read_header(in).depth == 16;
}

Image decode_psd(Bytes bytes, WideSamples& wide) {
  ByteReader in(bytes, "PSD");
  const Header header = read_header(in);
  const Bytes palette = in.take(in.big_endian(4));  // all reds, then greens, then blues
  in.take(in.big_endian(4));                        // resources
  in.take(in.big_endian(4));                        // layers
  engine::require(header.mode != kIndexed || palette.size() == 768,
                  "PSD: a palette of 256 colours expected");
  const uint32_t compression = in.big_endian(2);
  engine::require(compression <= 1, "PSD: compression ", compression,
                  ", expected 0 (none) or 1 (run lengths)");
  const bool has_runs = compression == 1;
  const Bytes packed = take_packed(in, header, has_runs);
  const std::vector<uint8_t> samples =
      unpack_with_stb("PSD", plain_file(header, has_runs, packed),
                      {static_cast<int>(header.row_bytes()), static_cast<int>(header.height)}, 3);

  Image image(static_cast<int>(header.width), static_cast<int>(header.height));
  const uint8_t* sample = samples.data();
  for (size_t i = 0; i < image.rgb.size(); i += 3, sample += 3 * header.sample_bytes()) {
    for (size_t c = 0; c < 3; ++c) {
      const uint8_t* found = sample + (header.mode == kRgb ? c : 0);
      if (header.depth == 16) {
        const uint32_t value = uint32_t{found[0]} << 8 | found[3];
        wide.note(value);
        image.rgb[i + c] = wide.to_byte(value);
      } else {
        image.rgb[i + c] = header.mode == kIndexed ? palette[256 * c + *found] : *found;
      }
    }
  }
  return image;
}

}  // namespace pixpro
