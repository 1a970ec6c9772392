// pixpro augment and pixpro bench loader, as a user runs them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pixpro/data/image.h"
#include "tests/apps/program.h"
#include "tests/support/temp_dir.h"

namespace apps {
namespace {

namespace fs = std::filesystem;
using test_support::TempDir;

const fs::path kFolder = fs::path(PIXPRO_GOLDEN_DIR) / "augment";

CommandResult augment(const std::vector<std::string>& arguments) {
  std::vector<std::string> all = {"augment", "--image", kFolder / "source.png"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_pixpro(all);
}

TEST(Augment, AppliesTheRecordedOperations) {
  const TempDir dir;
  const auto recorded = nlohmann::json::parse(std::ifstream(kFolder / "cases.json"));
  int applied = 0;
  for (auto operation : recorded["cases"]) {
    if (operation["op"] == "decode_jpeg") continue;
    SCOPED_TRACE(operation.dump());
    const fs::path expected = kFolder / operation["file"].get<std::string>();
    operation.erase("file");
    operation.erase("source");
    const CommandResult result = augment(
        {"--ops", nlohmann::json::array({operation}).dump(), "--out", dir.path() / "out.png"});
    ASSERT_EQ(result.status, 0) << result.err;
    const pixpro::Image image = pixpro::read_image(dir.path() / "out.png");
    EXPECT_TRUE(image.rgb == pixpro::read_image(expected).rgb);
    ++applied;
  }
  EXPECT_EQ(applied, 21);
}

TEST(Augment, AppliesOperationsInOrder) {
  const TempDir dir;
  const fs::path out = dir.path() / "out.png";
  const CommandResult result =
      augment({"--ops",
               R"([{"op": "resized_crop", "left": 3, "top": 4, "width": 50, "height": 60,
                    "size": 40}, {"op": "hflip"}, {"op": "rotate", "degrees": 12.5,
                    "interpolation": "bicubic"}, {"op": "center_crop", "size": 30}])",
               "--out", out});
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(pixpro::read_image(out).width, 30);
  ASSERT_EQ(augment({"--ops", "[]", "--out", out}).status, 0);
  EXPECT_EQ(pixpro::read_image(out).rgb, pixpro::read_image(kFolder / "source.png").rgb);
}

TEST(Augment, RefusesWrongOperations) {
  const TempDir dir;
  const fs::path out = dir.path() / "out.png";
  const auto expect_refused = [&](const std::string& ops, const std::vector<std::string>& words) {
    expect_refusal(augment({"--ops", ops, "--out", out}), words);
    EXPECT_FALSE(fs::exists(out));
  };
  expect_refused("hue", {"--ops", "JSON", "hue"});
  expect_refused(R"({"op": "hflip"})", {"list"});
  expect_refused(R"(["hflip"])", {"operation 1", "op"});
  expect_refused(R"([{"op": "hflip"}, {"op": "sharpen"}])", {"operation 2", "sharpen", "hue"});
  expect_refused(R"([{"op": "hue"}])", {"operation 1", "hue", "'shift' is missing", "0.5"});
  expect_refused(R"([{"op": "hue", "shift": 0.6}])", {"'shift'", "-0.5 to 0.5", "0.6"});
  expect_refused(R"([{"op": "hue", "shift": "0.1"}])", {"'shift'", "number"});
  expect_refused(R"([{"op": "hue", "shift": 0.1, "factor": 2}])", {"no parameter 'factor'"});
  expect_refused(R"([{"op": "contrast", "factor": -1}])", {"'factor'", "-1"});
  expect_refused(R"([{"op": "solarize", "threshold": 1.5}])", {"'threshold'", "whole"});
  expect_refused(R"([{"op": "gaussian_blur", "sigma": 0}])", {"'sigma'"});
  expect_refused(R"([{"op": "rotate", "degrees": 5, "interpolation": "cubic"}])", {"bicubic"});
  // The image has 211 x 163 pixels.
  expect_refused(
      R"([{"op": "resized_crop", "left": 200, "top": 0, "width": 12, "height": 5, "size": 8}])",
      {"'width'", "11", "12"});
}

std::string write_views(const std::string& recipe, const fs::path& folder) {
  const CommandResult result =
      augment({"--aug", recipe, "--seed", "5", "--image-size", "96", "--out", folder});
  EXPECT_EQ(result.status, 0) << result.err;
  for (const char* file : {"view1.png", "view2.png"}) {
    EXPECT_EQ(pixpro::read_image(folder / file).width, 96);
  }
  EXPECT_GT(pixpro::read_image(folder / "pairs.png").width, 96);
  return result.out;
}

TEST(Augment, WritesViewsAndTheirPairs) {
  const TempDir dir;
  for (const char* recipe : {"BYOL", "InstDisc", "MoCov2", "SimCLR", "RandAug", "NULL", "val"}) {
    SCOPED_TRACE(recipe);
    EXPECT_NE(write_views(recipe, dir.path() / recipe).find("positive pairs"), std::string::npos);
  }
}

TEST(Augment, GivesTheSameViewsForTheSameSeed) {
  const TempDir dir;
  EXPECT_EQ(write_views("RandAug", dir.path() / "a"), write_views("RandAug", dir.path() / "b"));
  for (const char* file : {"view1.png", "view2.png", "pairs.png"}) {
    EXPECT_EQ(pixpro::read_image(dir.path() / "a" / file).rgb,
              pixpro::read_image(dir.path() / "b" / file).rgb);
  }
}

TEST(Augment, RefusesWhatItCannotDo) {
  const TempDir dir;
  EXPECT_EQ(augment({"--out", dir.path(), "--aug", "byol"}).status, 2);
  EXPECT_EQ(augment({"--out", dir.path(), "--ops", "[]", "--aug", "BYOL"}).status, 2);
  expect_refusal(run_pixpro({"augment", "--image", "none.jpg", "--out", dir.path()}), {"none.jpg"});
  expect_refusal(run_pixpro({"pretrain", "--data-dir", kFolder, "--aug", "val"}), {"evaluation"});
}

TEST(BenchLoader, NamesEveryOperation) {
  const CommandResult result = run_pixpro({"bench", "loader", "--count", "20"});
  EXPECT_EQ(result.status, 0) << result.err;
  for (const char* word : {"images/s", "decode", "resize", "brightness", "contrast", "saturation",
                           "hue", "gaussian_blur", "normalize"}) {
    EXPECT_NE(result.out.find(word), std::string::npos) << word;
  }
}

}  // namespace
}  // namespace apps
