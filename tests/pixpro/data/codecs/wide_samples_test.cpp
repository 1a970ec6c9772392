// Samples of 16 bits and of other numbers of bits above 8.
#include "pixpro/data/codecs/wide_samples.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "pixpro/data/image.h"
#include "tests/pixpro/data/wide_files.h"
#include "tests/support/error_of.h"

namespace pixpro {
namespace {

using test_support::error_of;

const std::filesystem::path kOddFolder = std::filesystem::path(PIXPRO_GOLDEN_DIR) / "decode_odd";

FileBytes wide_tiff(const std::vector<uint16_t>& samples, TiffFileOptions options = {}) {
  FileBytes data;
  for (const uint16_t sample : samples) put_big_endian(data, sample, 2);
  options.width = static_cast<uint32_t>(samples.size()) / options.bands;
  return tiff_file(options, data);
}

// The first channel of an image.
std::vector<int> reds(Bytes file, int bit_depth = 16) {
  const Image image = decode_image(file, {.bit_depth = bit_depth});
  std::vector<int> found;
  for (size_t i = 0; i < image.rgb.size(); i += 3) found.push_back(image.rgb[i]);
  return found;
}

TEST(WideSamples, TheLowestBitsHoldTheImage) {
  const std::vector<uint16_t> samples{0, 15, 16, 255, 256, 2048, 4095, 4096, 65535};
  for (const FileBytes& file : {wide_png(0, samples), wide_tiff(samples), wide_psd(samples)}) {
    EXPECT_EQ(reds(file), (std::vector{0, 0, 0, 0, 1, 8, 15, 16, 255}));
    EXPECT_EQ(reds(file, 14), (std::vector{0, 0, 0, 3, 4, 32, 63, 64, 255}));
    EXPECT_EQ(reds(file, 12), (std::vector{0, 0, 1, 15, 16, 128, 255, 255, 255}));
    EXPECT_EQ(reds(file, 10), (std::vector{0, 3, 4, 63, 64, 255, 255, 255, 255}));
    EXPECT_EQ(reds(file, 8), (std::vector{0, 15, 16, 255, 255, 255, 255, 255, 255}));
  }
  // PGM spreads 0 .. white over 0 .. 255 and rounds.
  EXPECT_EQ(reds(wide_pgm(samples)), (std::vector{0, 0, 0, 1, 1, 8, 16, 16, 255}));
  EXPECT_EQ(reds(wide_pgm(samples), 12), (std::vector{0, 1, 1, 16, 16, 128, 255, 255, 255}));
}

// Every kind of 16-bit file: gray, RGB, with alpha, interlaced, compressed, of either byte order.
TEST(WideSamples, AllKindsOfFilesFollowTheBitDepth) {
  for (const char* name :
       {"ct2_16_i0.png", "ct4_16_i1.png", "ct6_16_i1.png", "gray16_i0.png", "gray16_i1.png",
        "tc16_be.tif", "tc16z_le.tif", "t16_be.tif", "t16z_le.tif", "psd_rgb16.psd",
        "psd_rgba16_rle.psd", "psd_gray16.psd"}) {
    const Image full = read_image(kOddFolder / name);
    const Image low = read_image(kOddFolder / name, {.bit_depth = 12});
    ASSERT_EQ(full.rgb.size(), low.rgb.size());
    int64_t in_range = 0;
    for (size_t i = 0; i < full.rgb.size(); ++i) {
      const bool fits = full.rgb[i] < 16;
      in_range += fits;
      ASSERT_EQ(fits ? low.rgb[i] >> 4 : low.rgb[i], fits ? full.rgb[i] : 255) << name;
    }
    EXPECT_GT(in_range, 0) << name;
  }
}

TEST(WideSamples, TheLargestIsThatOfTheColors) {
  const std::vector<uint16_t> gray{7, 3871, 900};
  for (const FileBytes& file :
       {wide_png(0, gray), wide_tiff(gray), wide_psd(gray), wide_pgm(gray),
        wide_png(2, {1, 2, 3871}), wide_png(4, {3871, 65535, 4, 65535}),
        wide_png(6, {1, 3871, 3, 65535}),
        wide_tiff({3871, 65535}, {.bands = 2, .tags = {{338, 1}}}),  // alpha is multiplied in
        wide_tiff({1, 3871, 3}, {.bands = 3, .photometric = 2, .planes_apart = true})}) {
    EXPECT_TRUE(has_wide_samples(file));
    EXPECT_EQ(largest_wide_sample(file), 3871U);
  }
}

TEST(WideSamples, TagsMayNameALargerOne) {
  EXPECT_EQ(largest_wide_sample(wide_png(0, {900}, {12})), 4095U);
  EXPECT_EQ(largest_wide_sample(wide_png(2, {900, 1, 2}, {9, 12, 10})), 4095U);
  EXPECT_EQ(largest_wide_sample(wide_png(0, {9000}, {12})), 9000U) << "scaled to 16 bits";
  EXPECT_EQ(largest_wide_sample(wide_tiff({900}, {.tags = {{281, 4095}}})), 4095U);
  EXPECT_EQ(largest_wide_sample(wide_tiff({900}, {.tags = {{341, 1023}}})), 1023U);
  EXPECT_EQ(largest_wide_sample(wide_tiff({900}, {.tags = {{281, 255}}})), 900U) << "a wrong tag";
  EXPECT_EQ(largest_wide_sample(wide_tiff({900}, {.tags = {{281, 65535}, {341, 65535}}})), 900U)
      << "the default, which says nothing";
}

TEST(WideSamples, AreThoseOfWhichTheFormatDoesNotSayTheRange) {
  FileBytes pgm;
  put_text(pgm, "P5 2 1 4095\n");
  for (const uint32_t sample : {2048u, 4095u}) put_big_endian(pgm, sample, 2);
  const FileBytes tiff = tiff_file({.width = 2, .bits = 12}, {0x80, 0x0F, 0xFF});
  for (const FileBytes& file : {pgm, tiff}) {
    EXPECT_FALSE(has_wide_samples(file));
    EXPECT_EQ(largest_wide_sample(file), std::nullopt);
    EXPECT_EQ(reds(file, 8), (std::vector{128, 255}));
    EXPECT_EQ(reds(file, 16), (std::vector{128, 255}));
  }
  for (const char* name : {"gray8_trns_i0.png", "jc.jpg", "b32.bmp", "psd_rgb.psd", "t_big.tif"}) {
    std::vector<uint8_t> bytes;
    std::ifstream in(kOddFolder / name, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
    ASSERT_FALSE(bytes.empty());
    EXPECT_FALSE(has_wide_samples(bytes)) << name;
  }
}

TEST(WideSamples, ADamagedImageHasNone) {
  const FileBytes file = wide_png(0, {1, 2, 3, 4});
  EXPECT_THROW(largest_wide_sample(Bytes(file).first(file.size() - 20)), engine::Error);
  for (const FileBytes& whole : {wide_png(0, {1}), wide_tiff({1}), wide_psd({1}), wide_pgm({1})}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      EXPECT_NO_THROW(has_wide_samples(Bytes(whole).first(size)));
    }
  }
}

TEST(WideSamples, BitDepthsAreFrom8To16) {
  for (const int depth : {-1, 0, 7, 17}) {
    EXPECT_NE(error_of([&] {
                decode_image(wide_pgm({1}), {.bit_depth = depth});
              }).find("expected 8 to 16"),
              std::string::npos);
  }
}

TEST(Tiff, PacksSamplesOfOddSizes) {
  // 10 bits: 1023, 512, 4.
  const FileBytes rgb = tiff_file({.bits = 10, .bands = 3, .photometric = 2},  //
                                  {0xFF, 0xE0, 0x00, 0x10});
  EXPECT_EQ(decode_image(rgb).rgb, (std::vector<uint8_t>{255, 128, 1}));
  // 14 bits: 16383, 8192.
  const FileBytes gray = tiff_file({.width = 2, .bits = 14}, {0xFF, 0xFE, 0x00, 0x00});
  EXPECT_EQ(reds(gray), (std::vector{255, 128}));
}

TEST(Tiff, BandsAreColorsAndAlpha) {
  const FileBytes data{10, 20, 30, 40, 50, 60};
  const auto decoded = [&](uint32_t bands, uint32_t photometric, bool planes_apart = false) {
    return decode_image(tiff_file({.bits = 8,
                                   .bands = bands,
                                   .photometric = photometric,
                                   .planes_apart = planes_apart},
                                  FileBytes(data.begin(), data.begin() + bands)))
        .rgb;
  };
  const std::vector<uint8_t> gray{10, 10, 10}, rgb{10, 20, 30};
  for (const bool planes_apart : {false, true}) {
    EXPECT_EQ(decoded(2, 1, planes_apart), gray);
    EXPECT_EQ(decoded(4, 2, planes_apart), rgb);
    EXPECT_EQ(decoded(5, 5, planes_apart).size(), 3U) << "CMYK and alpha";
    const std::string error = error_of([&] { decoded(5, 2, planes_apart); });
    EXPECT_EQ(error,
              "TIFF: 5 bands, expected 3 to 4 (gray, RGB or CMYK, and alpha); keep the three to be "
              "seen, as RGB");
    EXPECT_NE(error_of([&] { decoded(6, 1, planes_apart); }).find("TIFF: 6 bands"),
              std::string::npos);
    EXPECT_NE(error_of([&] { decoded(6, 5, planes_apart); }).find("TIFF: 6 bands"),
              std::string::npos);
  }
}

TEST(Tiff, RefusesSamplesWithoutAnAgreedRange) {
  const FileBytes four(4);
  const std::pair<uint32_t, const char*> names[] = {
      {2, "signed integer"}, {3, "floating-point"}, {4, "untyped"}, {5, "complex"}, {6, "complex"}};
  for (const auto& [format, name] : names) {
    const FileBytes file = tiff_file({.bits = 32, .sample_format = format}, four);
    EXPECT_EQ(error_of([&] { decode_image(file); }),
              std::string("TIFF: ") + name +
                  " samples, which have no agreed range; convert them to unsigned integers of 8 or "
                  "16 bits");
  }
  EXPECT_EQ(error_of([&] { decode_image(tiff_file({.bits = 32}, four)); }),
            "TIFF: 32 bits per sample, expected 8 to 16 (palette: 8), or 1, 2 or 4 if there is one "
            "band; convert it to 8 or 16 bits");
}

}  // namespace
}  // namespace pixpro
