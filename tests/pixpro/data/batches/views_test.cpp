// Views made while an image is decoded against views of the whole image.
#include "pixpro/data/batches/views.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "pixpro/data/augment/augment.h"
#include "pixpro/data/augment/normalize.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/sources/file_bytes.h"

namespace pixpro {
namespace {

constexpr int kSize = 24;

using Values = std::vector<float>;

// One view of an image that was decoded as a whole: its pixels, then its box.
Values view_of_whole(const Image& image, const ViewRecipe& recipe, engine::Random random) {
  const Size size{image.width, image.height};
  const ViewParameters view = sample_view(random, recipe, size, kSize);
  Values values(3 * kSize * kSize);
  normalize(apply_view(image, view, kSize), values.data());
  const std::array<float, 4> corners = view_box(view, size);
  values.insert(values.end(), corners.begin(), corners.end());
  return values;
}

// make_views decodes no more than the two crops need, which must not change them.
TEST(Views, OfEveryFormatAreThoseOfTheWholeImage) {
  const std::filesystem::path folder = std::filesystem::path(PIXPRO_GOLDEN_DIR) / "decode";
  const auto recorded = nlohmann::json::parse(std::ifstream(folder / "cases.json"));
  for (const auto& test : recorded["cases"]) {
    const std::string file = test["file"];
    std::vector<uint8_t> bytes;
    read_file(folder / file, bytes);
    const Image whole = decode_image(bytes);
    for (const std::string& name : recipe_names()) {
      SCOPED_TRACE(file + " " + name);
      const PairRecipe recipe = recipe_named(name, 0.08);
      for (int64_t sample = 0; sample < 5; ++sample) {
        constexpr size_t kPixels = 3 * kSize * kSize;
        std::array<Values, 2> views = {Values(kPixels + 4), Values(kPixels + 4)};
        const PairSlots<float> slots{{views[0].data(), views[1].data()},
                                     {views[0].data() + kPixels, views[1].data() + kPixels}};
        const std::array streams{view_stream(1, 2, sample, 0), view_stream(1, 2, sample, 1)};
        make_views(bytes, recipe, kSize, streams, slots);
        for (size_t v = 0; v < 2; ++v) {
          EXPECT_EQ(views[v], view_of_whole(whole, recipe[v], streams[v])) << "view " << v + 1;
        }
      }
    }
  }
}

}  // namespace
}  // namespace pixpro
