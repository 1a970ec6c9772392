// Whole images of every format and of all kinds of it, and files that must be refused.
#include "pixpro/data/image.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "engine/error.h"
#include "engine/random.h"
#include "tests/pixpro/data/scratch_folder.h"
#include "tests/support/error_of.h"

namespace pixpro {
namespace {

using test_support::error_of;

const std::filesystem::path kFolder = std::filesystem::path(PIXPRO_GOLDEN_DIR) / "decode";
const std::filesystem::path kOddFolder = std::filesystem::path(PIXPRO_GOLDEN_DIR) / "decode_odd";

int largest_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.width, b.width);
  EXPECT_EQ(a.height, b.height);
  int largest = 0;
  for (size_t i = 0; i < std::min(a.rgb.size(), b.rgb.size()); ++i) {
    largest = std::max(largest, std::abs(a.rgb[i] - b.rgb[i]));
  }
  return largest;
}

std::vector<uint8_t> bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Image, DecodesAsPillowDoes) {
  const auto recorded = nlohmann::json::parse(std::ifstream(kFolder / "cases.json"));
  ASSERT_EQ(recorded["cases"].size(), 18u);
  for (const auto& test : recorded["cases"]) {
    const std::string file = test["file"];
    SCOPED_TRACE(file);
    const Image expected = read_image(kFolder / test["expected"].get<std::string>());
    EXPECT_LE(largest_difference(read_image(kFolder / file), expected), test["tolerance"]);
  }
}

// Interlaced, 16-bit, run-length encoded, tiled, planar, animated: a small file of every kind that
// is read. For 12 and 16 bits, where Pillow clips gray and refuses PSD, the numbers are scaled to 8
// bits.
TEST(Image, DecodesOddFilesAsPillowDoes) {
  const auto recorded = nlohmann::json::parse(std::ifstream(kOddFolder / "cases.json"));
  ASSERT_EQ(recorded["cases"].size(), 131u);
  for (const auto& test : recorded["cases"]) {
    const std::string file = test["file"];
    SCOPED_TRACE(file);
    const Image found = read_image(kOddFolder / file);
    if (test.contains("expected")) {
      const Image expected = read_image(kOddFolder / test["expected"].get<std::string>());
      EXPECT_LE(largest_difference(found, expected), 1);
      continue;
    }
    EXPECT_EQ(found.width, test["width"]);
    EXPECT_EQ(found.height, test["height"]);
    std::ostringstream hash;
    hash << std::hex << std::setw(16) << std::setfill('0')
         << engine::hash_name({reinterpret_cast<const char*>(found.rgb.data()), found.rgb.size()});
    EXPECT_EQ(hash.str(), test["fnv1a"].get<std::string>());
  }
}

TEST(Image, RefusesDamagedFilesAndNamesThem) {
  const auto recorded = nlohmann::json::parse(std::ifstream(kFolder / "cases.json"));
  const auto odd = nlohmann::json::parse(std::ifstream(kOddFolder / "cases.json"));
  for (const auto& [folder, files] : {std::pair{kFolder, recorded["unreadable"]},  //
                                      std::pair{kOddFolder, odd["unreadable"]}}) {
    EXPECT_GE(files.size(), 4u);
    for (const auto& file : files) {
      const std::filesystem::path path = folder / file.get<std::string>();
      const std::string error = error_of([&] { read_image(path); });
      EXPECT_TRUE(error.starts_with(path.string() + ": ")) << path << error;
    }
  }
  EXPECT_NE(error_of([] { read_image("/nowhere/a.png"); }).find("/nowhere/a.png: cannot open"),
            std::string::npos);
  EXPECT_THROW(read_image(kFolder), engine::Error) << "a folder is not an image";
}

TEST(Image, RefusesEveryTruncation) {
  struct File {
    std::filesystem::path path;
    size_t idle = 0;  // last bytes, which carry nothing of the image
  };
  const std::vector<File> files = {{kFolder / "rgb.png", 16},
                                   {kFolder / "palette.png", 16},
                                   {kFolder / "gray.jpg"},
                                   {kFolder / "progressive.jpg"},
                                   {kFolder / "rgb.bmp", 3},
                                   {kFolder / "rgb.ppm"},
                                   {kFolder / "gray.pgm"},
                                   {kFolder / "raw.tif"},
                                   {kFolder / "lossless.webp"},
                                   {kFolder / "lossy.webp"},
                                   {kOddFolder / "gif_interlaced.gif", 1},
                                   {kOddFolder / "psd_rgb.psd"},
                                   {kOddFolder / "psd_rgb_rle.psd"},
                                   {kOddFolder / "tga_16.tga"},
                                   {kOddFolder / "tga_24_rle.tga"}};
  for (const File& file : files) {
    const std::vector<uint8_t> whole = bytes_of(file.path);
    ASSERT_GT(whole.size(), 100u);
    const size_t needed = whole.size() - file.idle;
    for (size_t size = 0; size < needed; size += size + 100 < needed ? 37 : 1) {
      const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<int64_t>(size));
      EXPECT_THROW(decode_image(cut), engine::Error) << file.path << " cut to " << size << " bytes";
    }
  }
}

std::string complaint(const std::vector<uint8_t>& bytes) {
  return error_of([&] { decode_image(bytes); });
}

// The file with a header that claims side x side pixels. Width and height are numbers of `size`
// bytes.
std::vector<uint8_t> claim(const std::filesystem::path& path, size_t width_at, size_t height_at,
                           size_t size, bool big_endian, uint32_t side) {
  std::vector<uint8_t> bytes = bytes_of(path);
  for (size_t i = 0; i < size; ++i) {
    const size_t place = big_endian ? size - 1 - i : i;
    bytes[width_at + place] = bytes[height_at + place] = static_cast<uint8_t>(side >> (8 * i));
  }
  return bytes;
}

// The most memory that this process has held so far.
int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

TEST(Image, RefusesAbsurdSizesBeforeTakingMemory) {
  const int64_t before = peak_bytes();
  const std::string words = "the image claims 100000 x 100000 pixels";
  std::vector<uint8_t> png = claim(kFolder / "rgb.png", 16, 20, 4, true, 100'000);
  const std::array<uint8_t, 4> checksum{0x27, 0x30, 0x9C, 0x9F};
  std::ranges::copy(checksum, png.begin() + 29);
  EXPECT_NE(complaint(png).find(words), std::string::npos) << complaint(png);
  const auto bmp = claim(kFolder / "rgb.bmp", 18, 22, 4, false, 100'000);
  EXPECT_NE(complaint(bmp).find(words), std::string::npos) << complaint(bmp);
  const auto psd = claim(kOddFolder / "psd_rgb.psd", 18, 14, 4, true, 100'000);
  EXPECT_NE(complaint(psd).find(words), std::string::npos) << complaint(psd);
  const std::string pgm = "P5 100000 100000 255 ";
  EXPECT_NE(complaint({pgm.begin(), pgm.end()}).find(words), std::string::npos);
  const auto tiff = claim(kFolder / "raw.tif", 18, 30, 4, false, 100'000);
  EXPECT_NE(complaint(tiff).find(words), std::string::npos) << complaint(tiff);
  // Formats that cannot express 100,000: the most that they can.
  for (const auto& bytes : {claim(kFolder / "gray.jpg", 96, 94, 2, true, 65535),
                            claim(kOddFolder / "gif_87.gif", 6, 8, 2, false, 65535),
                            claim(kOddFolder / "tga_16.tga", 12, 14, 2, false, 65535)}) {
    EXPECT_NE(complaint(bytes).find("65500"), std::string::npos) << complaint(bytes);
  }
  EXPECT_LT(peak_bytes() - before, 64 << 20);
}

// Sizes within the limits that a file's few bytes cannot fill.
TEST(Image, RefusesSizesThatItsBytesCannotHold) {
  const int64_t before = peak_bytes();
  for (const auto& bytes : {claim(kFolder / "rgb.bmp", 18, 22, 4, false, 16'000),
                            claim(kOddFolder / "tga_16.tga", 12, 14, 2, false, 16'000),
                            claim(kOddFolder / "tga_24_rle.tga", 12, 14, 2, false, 16'000),
                            claim(kOddFolder / "psd_rgb.psd", 18, 14, 4, true, 16'000),
                            claim(kOddFolder / "psd_rgb_rle.psd", 18, 14, 4, true, 16'000)}) {
    EXPECT_NE(complaint(bytes).find("cut short"), std::string::npos) << complaint(bytes);
  }
  EXPECT_LT(peak_bytes() - before, 64 << 20);
}

TEST(Image, SaysWhatIsNotRead) {
  const auto complaint_about = [](const char* name) {
    return complaint(bytes_of(kOddFolder / name));
  };
  EXPECT_EQ(complaint_about("rle8.bmp"), "BMP: compression 1 with 8 bits per pixel, expected none");
  EXPECT_EQ(complaint_about("b16.bmp"), "BMP: 16 bits per pixel, expected 1, 4, 8, 24 or 32");
  EXPECT_EQ(complaint_about("p4.pbm"),
            "PNM: kind P4, expected P5 or P6; text and black-and-white images are not read");
  EXPECT_EQ(complaint_about("psd_cmyk.psd"),
            "PSD: colour mode 4, expected 1 (gray), 2 (palette), 3 (RGB) or 8 (duotone)");
  EXPECT_EQ(complaint_about("gif_early.gif"), "GIF: the frame ends before its last pixel");
}

TEST(Image, PngRoundTripLeavesNothingBehind) {
  const ScratchFolder scratch;
  const Image image = test_image(37, 23, 1);
  write_png(scratch.path() / "a.png", image);
  EXPECT_EQ(read_image(scratch.path() / "a.png").rgb, image.rgb);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(scratch.path()), {}), 1);
  EXPECT_THROW(write_png(scratch.path() / "missing" / "a.png", image), engine::Error);
}

}  // namespace
}  // namespace pixpro
