#include "pixpro/train/pair_picture.h"

#include <optional>
#include <set>

#include "engine/error.h"
#include "pixpro/data/sampler.h"
#include "pixpro/method/positives.h"

namespace pixpro {
namespace {

constexpr size_t kMostTried = 200;

size_t cells_with_partner(const ViewPair& pair) {
  std::set<int64_t> cells;
  for (const auto& [first, second] : pair.positives) cells.insert(first);
  return cells.size();
}

}  // namespace

ViewPair make_view_pair(const Image& image, int64_t sample, const LoaderOptions& options,
                        int64_t grid, double pos_ratio) {
  ViewPair pair{.original = image, .parameters = {}, .views = {}, .positives = {}};
  pair.grid_width = pair.grid_height = static_cast<int>(grid);
  const Size size{image.width, image.height};
  std::array<Tensor, 2> boxes = {Tensor({1, 4}, engine::DType::f64),
                                 Tensor({1, 4}, engine::DType::f64)};
  for (size_t v = 0; v < 2; ++v) {
    engine::Random random = view_stream(options.seed, 0, sample, static_cast<int>(v));
    pair.parameters[v] = draw_view(random, options.recipe[v], size, options.image_size);
    pair.views[v] = to_image(apply_view(image, pair.parameters[v], options.image_size));
    const auto box = view_coordinates(pair.parameters[v], size);
    std::copy(box.begin(), box.end(), boxes[v].data<double>());
  }
  const Tensor mask = positive_mask(boxes[0], boxes[1], {grid, grid}, pos_ratio);
  const int64_t pixels = grid * grid;
  for (int64_t pair_index = 0; pair_index < pixels * pixels; ++pair_index) {
    if (mask.data<uint8_t>()[pair_index] == 0) continue;
    pair.positives.emplace_back(pair_index / pixels, pair_index % pixels);
  }
  return pair;
}

void write_pair_picture(const std::filesystem::path& path,
                        const std::vector<std::filesystem::path>& files,
                        const LoaderOptions& options, int64_t grid, double pos_ratio) {
  std::optional<ViewPair> chosen;
  std::string trouble = "there is no file";
  for (size_t i = 0; i < std::min(files.size(), kMostTried); ++i) {
    try {
      ViewPair pair =
          make_view_pair(read_image(files[i]), static_cast<int64_t>(i), options, grid, pos_ratio);
      const bool shares_enough = 4 * cells_with_partner(pair) >= static_cast<size_t>(grid * grid);
      if (!chosen || shares_enough) chosen = std::move(pair);
      if (shares_enough) break;
    } catch (const engine::Error& error) {
      trouble = error.what();
    }
  }
  engine::require(chosen.has_value(), "pair picture: no image could be read: ", trouble);
  write_png(path, draw_pairs(*chosen));
}

}  // namespace pixpro
