// The picture of a pair of views, and the shapes that it is painted with.
#include "pixpro/report/pair_painting.h"

#include <gtest/gtest.h>

#include "engine/error.h"
#include "pixpro/report/canvas.h"
#include "tests/pixpro/data/scratch_folder.h"

namespace pixpro {
namespace {

ViewPair example() {
  ViewPair pair;
  pair.original = test_image(120, 80, 1);
  pair.parameters[0].crop = {0, 0, 80, 80};
  pair.parameters[1].crop = {40, 0, 80, 80};
  for (size_t v = 0; v < 2; ++v)
    pair.views[v] = to_image(apply_view(pair.original, pair.parameters[v], 64));
  pair.grid_width = pair.grid_height = 2;
  pair.positives = {{1, 0}, {3, 2}};
  return pair;
}

TEST(PairPainting, ShowsOriginalAndViewsSideBySide) {
  const ViewPair pair = example();
  const Image picture = paint_pairs(pair);
  EXPECT_EQ(picture.height, 544);
  EXPECT_EQ(picture.width, 32 + 720 + 72 + 480 + 150 + 480 + 32);
  EXPECT_EQ(picture.rgb, paint_pairs(pair).rgb);
  // The paper between the views is white, and crossed by two lines.
  const int between = 32 + 720 + 72 + 480 + 75;
  int colored = 0;
  for (int y = 0; y < picture.height; ++y) {
    const uint8_t* pixel = picture.row(y) + 3 * between;
    colored += pixel[0] < 250 || pixel[1] < 250 || pixel[2] < 250;
  }
  EXPECT_GE(colored, 4);
  EXPECT_LE(colored, 16);
}

TEST(PairPainting, TakesAnyNumberOfPairsAndAnyShape) {
  ViewPair pair = example();
  pair.positives.clear();
  EXPECT_GT(paint_pairs(pair).pixels(), 0);
  pair.grid_width = pair.grid_height = 7;
  for (int64_t i = 0; i < 49; ++i) {
    for (int64_t j = 0; j < 49; ++j) pair.positives.emplace_back(i, j);
  }
  EXPECT_GT(paint_pairs(pair).pixels(), 0);
  pair.original = test_image(2000, 2, 0);
  pair.parameters[0].crop = pair.parameters[1].crop = {0, 0, 2, 2};
  EXPECT_GT(paint_pairs(pair).pixels(), 0);
  pair.original = test_image(2, 2000, 0);
  EXPECT_GT(paint_pairs(pair).pixels(), 0);
}

TEST(PairPainting, RefusesCellsOutsideTheGrid) {
  ViewPair pair = example();
  pair.positives.emplace_back(0, 4);
  EXPECT_THROW(paint_pairs(pair), engine::Error);
}

TEST(Canvas, ShapesAreClippedAtTheEdge) {
  Image canvas(20, 10);
  const Ink white{{255, 255, 255}, 1};
  fill(canvas, {-5, -5, 100, 8}, white);
  EXPECT_EQ(canvas.row(2)[0], 255);
  EXPECT_EQ(canvas.row(3)[0], 0);
  const Point outside[] = {{-50, -50}, {-40, 100}};
  const Image before = canvas;
  stroke(canvas, outside, 5, white);
  EXPECT_EQ(canvas.rgb, before.rgb);
  paste(canvas, test_image(30, 30, 3), -10, -10);
  paste(canvas, test_image(5, 5, 3), 40, 40);
  EXPECT_EQ(canvas.row(0)[0], test_image(30, 30, 3).row(10)[30]);
}

}  // namespace
}  // namespace pixpro
