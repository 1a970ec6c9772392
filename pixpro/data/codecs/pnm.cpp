// The portable any-map family in its binary form: PGM (P5) and PPM (P6), with samples of up to 16
// bits. http://netpbm.sourceforge.net/doc
#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "pixpro/data/codecs/byte_reader.h"
#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

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

// 0 .. largest spread over 0 .. 255, rounded, a tie to the even number; what is larger, to 255.
std::vector<uint8_t> scale_to_bytes(int64_t largest) {
  std::vector<uint8_t> scaled(largest < 256 ? 256 : 65536);
  for (size_t v = 0; v < scaled.size(); ++v) {
    const double share = static_cast<double>(v) / static_cast<double>(largest);
    scaled[v] = static_cast<uint8_t>(std::nearbyint(std::min(share, 1.0) * 255.0));
  }
  return scaled;
}

}  // namespace

bool is_pnm(Bytes bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
         is_space(bytes[2]);
}

Image decode_pnm(Bytes bytes) {
  ByteReader in(bytes, "PNM");
  const uint8_t kind = in.take(2)[1];
  engine::require(kind == '5' || kind == '6', "PNM: kind P", kind - '0',
                  ", expected P5 or P6; text and black-and-white images are not read");
  const int64_t width = read_number(in), height = read_number(in), largest = read_number(in);
  require_decodable_size(width, height);
  engine::require(largest >= 1 && largest <= 65535, "PNM: the largest sample is ", largest,
                  ", expected 1 to 65535");
  const std::vector<uint8_t> scaled = scale_to_bytes(largest);
  const size_t sample_bytes = largest < 256 ? 1 : 2, channels = kind == '6' ? 3 : 1;
  const size_t samples = static_cast<size_t>(width * height) * channels;
  ByteReader stored(in.take(samples * sample_bytes), "PNM");
  Image image(static_cast<int>(width), static_cast<int>(height));
  for (size_t i = 0; i < image.rgb.size(); i += 3 / channels) {
    std::fill_n(image.rgb.data() + i, 3 / channels, scaled[stored.big_endian(sample_bytes)]);
  }
  return image;
}

}  // namespace pixpro
