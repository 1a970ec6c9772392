// The portable any-map family in its binary form: PGM (P5) and PPM (P6), with samples of up to 16
// bits. http://netpbm.sourceforge.net/doc
#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "pixpro/data/codecs/byte_reader.h"
#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

constexpr int64_t kLargest = 65535;

bool is_space(uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// The next byte that is neither a space nor in a comment, which goes from # to the line's end.
uint8_t read_visible(ByteReader& in) {
  for (bool in_comment = false;;) {
    const uint8_t found = in.byte();
    if (in_comment) {
      in_comment = found != '\n' && found != '\r';
    } else if (found == '#') {
      in_comment = true;
    } else if (!is_space(found)) {
      return found;
    }
  }
}

// A number written as text, and the one space that ends it.
int64_t read_number(ByteReader& in) {
  int64_t value = 0;
  for (uint8_t found = read_visible(in); !is_space(found); found = in.byte()) {
    engine::require(found >= '0' && found <= '9' && value < 100'000'000,
                    "PNM: expected a number of at most 9 digits");
    value = 10 * value + (found - '0');
  }
  return value;
}

// 0 .. white spread over 0 .. 255, rounded, a tie to the even number; what is larger, to 255.
std::vector<uint8_t> scale_to_bytes(int64_t white, size_t sample_bytes) {
  std::vector<uint8_t> scaled(sample_bytes == 1 ? 256 : 65536);
  for (size_t v = 0; v < scaled.size(); ++v) {
    const double share = static_cast<double>(v) / static_cast<double>(white);
    scaled[v] = static_cast<uint8_t>(std::nearbyint(std::min(share, 1.0) * 255.0));
  }
  return scaled;
}

struct Header {
  size_t channels = 1;
  int64_t width = 0, height = 0;
  int64_t largest = 0;  // the sample that is white

  size_t sample_bytes() const { return largest < 256 ? 1 : 2; }
  size_t samples() const { return static_cast<size_t>(width * height) * channels; }
  bool is_wide() const { return largest == kLargest; }
};

Header read_header(ByteReader& in) {
  const uint8_t kind = in.take(2)[1];
  engine::require(kind == '5' || kind == '6', "PNM: kind P", kind - '0',
                  ", expected P5 or P6; text and black-and-white images are not read");
  Header header{.channels = kind == '6' ? size_t{3} : size_t{1}};
  header.width = read_number(in);
  header.height = read_number(in);
  header.largest = read_number(in);
  require_decodable_size(header.width, header.height);
  engine::require(header.largest >= 1 && header.largest <= kLargest, "PNM: the largest sample is ",
                  header.largest, ", expected 1 to ", kLargest);
  return header;
}

}  // namespace

bool is_pnm(Bytes bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
         is_space(bytes[2]);
}

bool is_wide_pnm(Bytes bytes) {
  ByteReader in(bytes, "PNM");
  return read_header(in).is_wide();
}

Image decode_pnm(Bytes bytes, WideSamples& wide) {
  ByteReader in(bytes, "PNM");
  const Header header = read_header(in);
  const int64_t white = header.is_wide() ? (int64_t{1} << wide.bit_depth()) - 1 : header.largest;
  const std::vector<uint8_t> scaled = scale_to_bytes(white, header.sample_bytes());
  ByteReader stored(in.take(header.samples() * header.sample_bytes()), "PNM");
  Image image(static_cast<int>(header.width), static_cast<int>(header.height));
  const size_t copies = 3 / header.channels;
  uint32_t largest = 0;
  for (size_t i = 0; i < image.rgb.size(); i += copies) {
    const uint32_t sample = stored.big_endian(header.sample_bytes());
    largest = std::max(largest, sample);
    std::fill_n(image.rgb.data() + i, copies, scaled[sample]);
  }
  if (header.is_wide()) wide.note(largest);
  return image;
}

}  // namespace pixpro
