// Views made while an image is decoded against views of the whole image.
#include "pixpro/data/batches/views.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/tensor.h"
#include "pixpro/data/augment/augment.h"
#include "pixpro/data/augment/normalize.h"
#include "pixpro/data/batches/raw_view.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/codecs/codec.h"
#include "pixpro/data/sources/file_bytes.h"
#include "tests/pixpro/data/scratch_folder.h"
#include "tests/pixpro/data/wide_files.h"

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

// Both views of an image, as the loader's workers write them.
template <class View>
std::vector<View> views_of(Bytes file, int64_t view_elements, const DecodeOptions& decoding) {
  constexpr auto kType = sizeof(View) == 1 ? engine::DType::u8 : engine::DType::f32;
  engine::Tensor views({2, view_elements}, kType);
  std::fill_n(views.data<View>(), views.elements(), View{});  // raw views have gaps
  std::array<float, 8> boxes;
  const PairRows<View> rows{views.data<View>(), boxes.data(), view_elements, 1};
  const std::array streams{view_stream(1, 2, 3, 0), view_stream(1, 2, 3, 1)};
  make_views(file, recipe_named("NULL", 0.08), kSize, streams, rows.slots(0), decoding);
  return {views.data<View>(), views.data<View>() + views.elements()};
}

TEST(Views, OfWideImagesFollowTheBitDepth) {
  const Image image = test_image(50, 40, 1);
  FileBytes wide;
  put_text(wide, "P6 50 40 65535\n");
  for (const uint32_t byte : image.rgb) put_big_endian(wide, (byte * 4095 + 127) / 255, 2);
  const std::vector<uint8_t> narrow = encode_png(image);
  constexpr int64_t kFloats = 3 * kSize * kSize, kRawBytes = raw_view_bytes(kSize);
  EXPECT_EQ(views_of<float>(wide, kFloats, {.bit_depth = 12}),
            views_of<float>(narrow, kFloats, {}));
  EXPECT_NE(views_of<float>(wide, kFloats, {}), views_of<float>(narrow, kFloats, {}));
  EXPECT_EQ(views_of<uint8_t>(wide, kRawBytes, {.bit_depth = 12}),
            views_of<uint8_t>(narrow, kRawBytes, {}));
}

}  // namespace
}  // namespace pixpro
