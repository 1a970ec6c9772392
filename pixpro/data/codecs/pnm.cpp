// The portable any-map family: PBM (P1, P4), PGM (P2, P5) and PPM (P3, P6), as text and as bytes,
// with samples of up to 16 bits. http://netpbm.sourceforge.net/doc
#include <algorithm>
#include <cmath>

#include "engine/error.h"
#include "pixpro/data/codecs/codec.h"

namespace pixpro {
namespace {

bool is_space(uint8_t byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

// Numbers written as text, with comments from # to the end of the line.
class Reader {
 public:
  explicit Reader(Bytes bytes) : bytes_(bytes) {}

  uint8_t byte() {
    engine::require(at_ < bytes_.size(), "PNM: the file is cut short");
    return bytes_[at_++];
  }

  // The next byte that is neither space nor comment.
  uint8_t visible() {
    for (;;) {
      const uint8_t found = byte();
      if (found == '#') {
        for (uint8_t skipped = 0; skipped != '\n' && skipped != '\r';) skipped = byte();
      } else if (!is_space(found)) {
        return found;
      }
    }
  }

  // A number up to 10^9, and the one space behind it.
  int64_t number() {
    int64_t value = 0;
    uint8_t found = visible();
    do {
      engine::require(found >= '0' && found <= '9' && value < 100'000'000,
                      "PNM: expected a number, found something else or too long a one");
      value = 10 * value + (found - '0');
      if (at_ == bytes_.size()) return value;  // the file's last number needs no space behind it
      found = byte();
    } while (!is_space(found) && found != '#');
    if (found == '#') --at_;
    return value;
  }

  Bytes rest() const { return bytes_.subspan(at_); }

 private:
  Bytes bytes_;
  size_t at_ = 2;
};

// 0 .. largest spread over 0 .. 255, rounded, a tie to the even number.
std::vector<uint8_t> scale_to_bytes(int64_t largest) {
  std::vector<uint8_t> scaled(static_cast<size_t>(largest) + 1);
  for (size_t v = 0; v < scaled.size(); ++v) {
    scaled[v] = static_cast<uint8_t>(
        std::nearbyint(static_cast<double>(v) / static_cast<double>(largest) * 255.0));
  }
  return scaled;
}

void decode_bits(Reader& reader, bool as_text, Image& image) {
  const size_t row_bytes = (static_cast<size_t>(image.width) + 7) / 8;
  const Bytes rows = reader.rest();
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      bool black = false;
      if (as_text) {
        const uint8_t digit = reader.visible();
        engine::require(digit == '0' || digit == '1', "PNM: expected 0 or 1");
        black = digit == '1';
      } else {
        const size_t byte = static_cast<size_t>(y) * row_bytes + static_cast<size_t>(x) / 8;
        black = (rows[byte] >> (7 - x % 8) & 1) != 0;
      }
      std::fill_n(image.row(y) + 3 * x, 3, black ? uint8_t{0} : uint8_t{255});
    }
  }
}

void decode_samples(Reader& reader, bool as_text, bool in_color, int64_t largest, Image& image) {
  const std::vector<uint8_t> scaled = scale_to_bytes(largest);
  const uint8_t* next = reader.rest().data();
  const auto sample = [&]() -> uint8_t {
    int64_t value = 0;
    if (as_text) {
      value = reader.number();
      engine::require(value <= largest, "PNM: a sample of ", value, ", the largest is ", largest);
    } else if (largest < 256) {
      value = *next++;
    } else {
      value = next[0] << 8 | next[1];
      next += 2;
    }
    return scaled[static_cast<size_t>(std::min(value, largest))];
  };
  if (in_color) {
    for (uint8_t& value : image.rgb) value = sample();
    return;
  }
  for (size_t i = 0; i < image.rgb.size(); i += 3) std::fill_n(image.rgb.data() + i, 3, sample());
}

}  // namespace

bool is_pnm(Bytes bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '6' &&
         is_space(bytes[2]);
}

Image decode_pnm(Bytes bytes) {
  const int kind = bytes[1] - '0';
  const bool as_text = kind <= 3, of_bits = kind == 1 || kind == 4, in_color = kind % 3 == 0;
  Reader reader(bytes);
  const int64_t width = reader.number(), height = reader.number();
  require_decodable_size(width, height);
  const int64_t largest = of_bits ? 1 : reader.number();
  engine::require(largest >= 1 && largest <= 65535, "PNM: the largest sample is ", largest,
                  ", expected 1 to 65535");
  const int64_t samples = width * height * (in_color ? 3 : 1);
  // A sample in text takes a digit at least.
  const int64_t needed = of_bits && !as_text         ? (width + 7) / 8 * height
                         : !as_text && largest > 255 ? 2 * samples
                                                     : samples;
  engine::require(needed <= static_cast<int64_t>(reader.rest().size()),
                  "PNM: the file is cut short");
  Image image(static_cast<int>(width), static_cast<int>(height));
  if (of_bits) {
    decode_bits(reader, as_text, image);
  } else {
    decode_samples(reader, as_text, in_color, largest, image);
  }
  return image;
}

}  // namespace pixpro
