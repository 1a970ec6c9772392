// Every operation against images recorded with Pillow and torchvision.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "pixpro/data/augment/resize.h"
#include "pixpro/data/augment/steps.h"
#include "pixpro/data/image.h"

namespace pixpro {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(PIXPRO_GOLDEN_DIR) / "augment";

Image apply_recorded(const nlohmann::json& test) {
  const std::string op = test["op"];
  if (op == "decode_jpeg") return read_image(kFolder / test["jpeg"].get<std::string>());
  const Image image = read_image(kFolder / test["source"].get<std::string>());
  if (op == "resized_crop") {
    const Box box{test["left"], test["top"], test["width"], test["height"]};
    return to_image(resized_crop(image, box, test["size"], test["size"]));
  }
  if (op == "resize_shorter") return resize_shorter(image, test["size"]);
  if (op == "center_crop") return center_crop(image, test["size"]);
  ColorPlanes planes = to_planes(image);
  if (op == "hflip") flip_horizontally(planes);
  for (const OpInfo& info : op_infos()) {
    if (op != info.name) continue;
    apply(planes, {info.op, info.parameter == nullptr ? 0.0 : test[info.parameter].get<double>()});
  }
  return to_image(planes);
}

TEST(GoldenAugment, EqualBytes) {
  const auto recorded = nlohmann::json::parse(std::ifstream(kFolder / "cases.json"));
  ASSERT_EQ(recorded["cases"].size(), 23u);
  for (const auto& test : recorded["cases"]) {
    SCOPED_TRACE(test.dump());
    const Image expected = read_image(kFolder / test["file"].get<std::string>());
    const Image found = apply_recorded(test);
    EXPECT_EQ(found.width, expected.width);
    EXPECT_EQ(found.height, expected.height);
    EXPECT_TRUE(found.rgb == expected.rgb);
  }
}

}  // namespace
}  // namespace pixpro
