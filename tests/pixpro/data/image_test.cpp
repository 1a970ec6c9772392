#include "pixpro/data/image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "engine/error.h"
#include "scratch_folder.h"

namespace pixpro {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(PIXPRO_GOLDEN_DIR) / "decode";

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
  int checked = 0;
  for (const auto& test : recorded["cases"]) {
    const std::filesystem::path file = test["file"].get<std::string>();
    if (file.extension() != ".png" && file.extension() != ".jpg") continue;
    SCOPED_TRACE(file);
    const Image expected = read_image(kFolder / test["expected"].get<std::string>());
    EXPECT_LE(largest_difference(read_image(kFolder / file), expected), test["tolerance"]);
    ++checked;
  }
  EXPECT_EQ(checked, 10);
}

TEST(Image, RefusesDamagedFilesAndNamesThem) {
  const auto recorded = nlohmann::json::parse(std::ifstream(kFolder / "cases.json"));
  for (const auto& file : recorded["unreadable"]) {
    const std::filesystem::path path = kFolder / file.get<std::string>();
    EXPECT_TRUE(error_of(path).starts_with(path.string() + ": ")) << error_of(path);
  }
  EXPECT_NE(error_of("/nowhere/a.png").find("/nowhere/a.png: cannot open"), std::string::npos);
  EXPECT_NE(error_of(kFolder), "no error") << "a folder is not an image";
}

TEST(Image, RefusesEveryTruncation) {
  for (const char* name : {"rgb.png", "palette.png", "gray.jpg", "progressive.jpg"}) {
    const std::vector<uint8_t> whole = bytes_of(kFolder / name);
    ASSERT_GT(whole.size(), 100u);
    // PNG's last 16 bytes carry nothing of the picture.
    const size_t needed = whole.size() - (whole[0] == 0x89 ? 16 : 0);
    for (size_t size = 0; size < needed; size += size + 100 < needed ? 37 : 1) {
      const std::vector<uint8_t> cut(whole.begin(), whole.begin() + static_cast<int64_t>(size));
      EXPECT_THROW(decode_image(cut), engine::Error) << name << " cut to " << size << " bytes";
    }
  }
}

TEST(Image, RefusesAbsurdSizesBeforeTakingMemory) {
  std::vector<uint8_t> png = bytes_of(kFolder / "rgb.png");
  // Width and height are two big-endian numbers from byte 16 on.
  const auto claim = [&](uint32_t width, uint32_t height) {
    for (size_t i = 0; i < 4; ++i) {
      png[16 + i] = static_cast<uint8_t>(width >> (24 - 8 * i));
      png[20 + i] = static_cast<uint8_t>(height >> (24 - 8 * i));
    }
  };
  for (const auto& [width, height] : {std::pair<uint32_t, uint32_t>{65501, 1}, {60000, 60000}}) {
    claim(width, height);
    try {
      decode_image(png);
      ADD_FAILURE() << width << " x " << height << " was accepted";
    } catch (const engine::Error& error) {
      EXPECT_NE(std::string(error.what()).find("claims " + std::to_string(width)),
                std::string::npos);
    }
  }
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
