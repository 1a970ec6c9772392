#include "pixpro/data/image.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "engine/error.h"
#include "engine/random.h"
#include "tests/pixpro/data/scratch_folder.h"

namespace pixpro {
namespace {

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

std::string error_of(const std::filesystem::path& path) {
  try {
    read_image(path);
  } catch (const engine::Error& error) {
    return error.what();
  }
  return "no error";
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

// Interlaced, 16-bit, run-length encoded, tiled, planar, animated: small files of every kind that
// the formats know. Where 16-bit gray is concerned, the numbers are those scaled to 8 bits.
TEST(Image, DecodesOddFilesAsPillowDoes) {
  const auto recorded = nlohmann::json::parse(std::ifstream(kOddFolder / "cases.json"));
  ASSERT_EQ(recorded["cases"].size(), 119u);
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
    EXPECT_EQ(hash.str(), test["fnv1a"]);
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
      EXPECT_TRUE(error_of(path).starts_with(path.string() + ": ")) << path << error_of(path);
    }
  }
  EXPECT_NE(error_of("/nowhere/a.png").find("/nowhere/a.png: cannot open"), std::string::npos);
  EXPECT_NE(error_of(kFolder), "no error") << "a folder is not an image";
}

TEST(Image, RefusesEveryTruncation) {
  for (const char* name : {"rgb.png", "palette.png", "gray.jpg", "progressive.jpg", "rgb.bmp",
                           "rgb.ppm", "gray.pgm", "raw.tif", "lossless.webp", "lossy.webp"}) {
    const std::vector<uint8_t> whole = bytes_of(kFolder / name);
    ASSERT_GT(whole.size(), 100u);
    // PNG's last 16 bytes carry nothing of the picture, nor do the 3 behind the last row of this
    // BMP.
    const size_t idle = whole[0] == 0x89 ? 16 : whole[0] == 'B' ? 3 : 0;
    const size_t needed = whole.size() - idle;
    for (size_t size = 0; size < needed; size += size + 100 < needed ? 37 : 1) {
      const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<int64_t>(size));
      EXPECT_THROW(decode_image(cut), engine::Error) << name << " cut to " << size << " bytes";
    }
  }
}

// What decoding says; "" where a picture comes out.
std::string complaint(const std::vector<uint8_t>& bytes) {
  try {
    decode_image(bytes);
    return "";
  } catch (const engine::Error& error) {
    return error.what();
  }
}

// A file whose header says 100,000 x 100,000 pixels: the numbers of `name`'s width and height,
// big-endian or little-endian of so many bytes, are overwritten.
std::vector<uint8_t> claim(const std::string& name, size_t width_at, size_t height_at, size_t size,
                           bool big_endian, uint32_t side) {
  std::vector<uint8_t> bytes = bytes_of(kFolder / name);
  for (size_t i = 0; i < size; ++i) {
    const size_t place = big_endian ? size - 1 - i : i;
    bytes[width_at + place] = bytes[height_at + place] = static_cast<uint8_t>(side >> (8 * i));
  }
  return bytes;
}

// The most memory this process has held so far.
int64_t peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

TEST(Image, RefusesAbsurdSizesBeforeTakingMemory) {
  const int64_t before = peak_bytes();
  const std::string words = "the picture claims 100000 x 100000 pixels";
  std::vector<uint8_t> png = claim("rgb.png", 16, 20, 4, true, 100'000);
  const std::array<uint8_t, 4> checksum{0x27, 0x30, 0x9C, 0x9F};
  std::ranges::copy(checksum, png.begin() + 29);
  EXPECT_NE(complaint(png).find(words), std::string::npos) << complaint(png);
  const auto bmp = claim("rgb.bmp", 18, 22, 4, false, 100'000);
  EXPECT_NE(complaint(bmp).find(words), std::string::npos) << complaint(bmp);
  const std::string pgm = "P5 100000 100000 255 ";
  EXPECT_NE(complaint({pgm.begin(), pgm.end()}).find(words), std::string::npos);
  // Formats that cannot say 100,000: the most they can.
  const auto jpeg = claim("gray.jpg", 96, 94, 2, true, 65535);
  EXPECT_NE(complaint(jpeg).find("65500 pixels"), std::string::npos) << complaint(jpeg);
  const auto tiff = claim("raw.tif", 18, 30, 4, false, 100'000);
  EXPECT_NE(complaint(tiff).find(words), std::string::npos) << complaint(tiff);
  // Within the limits, but more than so few bytes can hold.
  EXPECT_NE(complaint(claim("rgb.bmp", 18, 22, 4, false, 16'000)).find("cut short"),
            std::string::npos);
  EXPECT_LT(peak_bytes() - before, 64 << 20);
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
