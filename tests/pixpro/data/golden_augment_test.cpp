// Every operation against pictures recorded from Pillow and torchvision.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "pixpro/data/blur.h"
#include "pixpro/data/color.h"
#include "pixpro/data/image.h"
#include "pixpro/data/resize.h"

namespace pixpro {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(PIXPRO_GOLDEN_DIR) / "augment";

Image apply(const nlohmann::json& test) {
  const std::string op = test["op"];
  if (op == "decode_jpeg") return read_image(kFolder / test["jpeg"].get<std::string>());
  Image image = read_image(kFolder / test["source"].get<std::string>());
  if (op == "resized_crop") {
    const Box box{test["left"], test["top"], test["width"], test["height"]};
    return resized_crop(image, box, test["size"], test["size"]);
  }
  if (op == "resize_shorter") return resize_shorter(image, test["size"]);
  if (op == "center_crop") return center_crop(image, test["size"]);
  if (op == "hflip") flip_horizontally(image);
  if (op == "brightness") adjust_brightness(image, test["factor"]);
  if (op == "contrast") adjust_contrast(image, test["factor"]);
  if (op == "saturation") adjust_saturation(image, test["factor"]);
  if (op == "hue") adjust_hue(image, test["shift"]);
  if (op == "grayscale") to_grayscale(image);
  if (op == "gaussian_blur") gaussian_blur(image, test["sigma"]);
  if (op == "solarize") solarize(image, test["threshold"]);
  return image;
}

TEST(GoldenAugment, EqualBytes) {
  const auto recorded = nlohmann::json::parse(std::ifstream(kFolder / "cases.json"));
  ASSERT_EQ(recorded["cases"].size(), 23u);
  for (const auto& test : recorded["cases"]) {
    SCOPED_TRACE(test.dump());
    const Image expected = read_image(kFolder / test["file"].get<std::string>());
    const Image found = apply(test);
    EXPECT_EQ(found.width, expected.width);
    EXPECT_EQ(found.height, expected.height);
    EXPECT_TRUE(found.rgb == expected.rgb);
  }
}

}  // namespace
}  // namespace pixpro
