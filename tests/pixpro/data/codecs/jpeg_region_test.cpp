// A region of a JPEG has the same pixels as in the whole image, however chroma is stored.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
// jpeglib.h needs the C headers above.
#include <jpeglib.h>

#include <ostream>

#include "engine/error.h"
#include "engine/random.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/codecs/decoder.h"

namespace pixpro {
namespace {

struct JpegKind {
  const char* name;
  J_COLOR_SPACE input;
  int across = 1, down = 1;  // how many pixels share a chroma value
  bool progressive = false;
  int restart_rows = 0;
};

void PrintTo(const JpegKind& kind, std::ostream* out) { *out << kind.name; }

std::vector<uint8_t> encode(const JpegKind& kind, int width, int height) {
  const int channels = kind.input == JCS_GRAYSCALE ? 1 : kind.input == JCS_CMYK ? 4 : 3;
  engine::Random random(static_cast<uint64_t>(width), static_cast<uint32_t>(height));
  std::vector<uint8_t> row(static_cast<size_t>(width * channels));
  jpeg_compress_struct info{};
  jpeg_error_mgr manager;
  info.err = jpeg_std_error(&manager);
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = channels;
  info.in_color_space = kind.input;
  jpeg_set_defaults(&info);
  if (channels == 3) {
    info.comp_info[0].h_samp_factor = kind.across;
    info.comp_info[0].v_samp_factor = kind.down;
  }
  if (kind.progressive) jpeg_simple_progression(&info);
  info.restart_in_rows = kind.restart_rows;
  jpeg_start_compress(&info, TRUE);
  for (int y = 0; y < height; ++y) {
    for (uint8_t& value : row) value = static_cast<uint8_t>(random.bits() >> 24);
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&info, &pointer, 1);
  }
  jpeg_finish_compress(&info);
  jpeg_destroy_compress(&info);
  const std::vector<uint8_t> result(bytes, bytes + size);
  std::free(bytes);
  return result;
}

Image cut(const Image& image, const Box& box) {
  Image out(box.width, box.height);
  for (int y = 0; y < box.height; ++y) {
    std::copy_n(image.row(box.top + y) + 3 * box.left, 3 * box.width, out.row(y));
  }
  return out;
}

class JpegRegion : public testing::TestWithParam<JpegKind> {};

TEST_P(JpegRegion, HasThePixelsOfTheWholeImage) {
  engine::Random random(5);
  const auto between = [&](int low, int high) {
    return low + static_cast<int>(random.below(high - low + 1));
  };
  for (int image = 0; image < 12; ++image) {
    const int width = between(1, image % 2 == 0 ? 40 : 260), height = between(1, 200);
    const std::vector<uint8_t> bytes = encode(GetParam(), width, height);
    const Image whole = decode_image(bytes);
    for (int i = 0; i < 40; ++i) {
      Box box;
      box.width = between(1, width);
      box.height = between(1, height);
      box.left = between(0, width - box.width);
      box.top = between(0, height - box.height);
      const Image part = open_image(bytes)->decode(box);
      ASSERT_EQ(part.width, box.width);
      ASSERT_TRUE(part.rgb == cut(whole, box).rgb)
          << box.width << " x " << box.height << " at (" << box.left << ", " << box.top << ") of "
          << width << " x " << height;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    AllKinds, JpegRegion,
    testing::Values(JpegKind{"444", JCS_RGB}, JpegKind{"422", JCS_RGB, 2, 1},
                    JpegKind{"420", JCS_RGB, 2, 2}, JpegKind{"440", JCS_RGB, 1, 2},
                    JpegKind{"411", JCS_RGB, 4, 1}, JpegKind{"410", JCS_RGB, 4, 2},
                    JpegKind{"441", JCS_RGB, 1, 4}, JpegKind{"gray", JCS_GRAYSCALE},
                    JpegKind{"cmyk", JCS_CMYK}, JpegKind{"restarts", JCS_RGB, 2, 2, false, 1},
                    JpegKind{"progressive", JCS_RGB, 2, 2, true},
                    JpegKind{"progressive444", JCS_RGB, 1, 1, true}),
    [](const auto& test) { return std::string("Kind") + test.param.name; });

// The encoder's buffer holds the worst image: noise at the best quality.
TEST(Jpeg, NoiseOfEverySizeIsEncodedWhole) {
  engine::Random random(9);
  for (int side = 1; side <= 70; ++side) {
    Image noise(3 * side, 213 - 3 * side);
    for (uint8_t& value : noise.rgb) value = random.chance(0.5) ? 255 : 0;
    const Image back = decode_image(encode_jpeg(noise, 100));
    EXPECT_EQ(back.width, noise.width);
    EXPECT_EQ(back.height, noise.height);
  }
}

TEST(Decoder, RefusesRegionsOutsideTheImage) {
  const std::vector<uint8_t> jpeg = encode_jpeg(Image(20, 10), 90), png = encode_png(Image(20, 10));
  for (const auto& bytes : {jpeg, png}) {
    for (const Box& box :
         {Box{-1, 0, 5, 5}, Box{0, 0, 21, 5}, Box{16, 0, 5, 5}, Box{0, 0, 0, 5}, Box{0, 6, 5, 5}}) {
      EXPECT_THROW(open_image(bytes)->decode(box), engine::Error);
    }
    EXPECT_EQ(open_image(bytes)->decode({3, 2, 10, 5}).width, 10);
  }
}

}  // namespace
}  // namespace pixpro
