#include "pixpro/report/pair_picture.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "engine/error.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/method/positives.h"

namespace pixpro {
namespace {

constexpr int64_t kMostTried = 32;

// Standard deviation of the bytes of an image.
double contrast(const Image& image) {
  double sum = 0.0, squares = 0.0;
  for (const double value : image.rgb) {
    sum += value;
    squares += value * value;
  }
  const double count = std::max(static_cast<double>(image.rgb.size()), 1.0);
  return std::sqrt(std::max(squares / count - sum * sum / (count * count), 0.0));
}

// How well a pair shows the method: views that share a quarter of their cells come first, then
// contrast decides.
double worth(const ViewPair& pair) {
  std::set<int64_t> cells;
  for (const auto& [first, second] : pair.positives) cells.insert(first);
  const bool share_enough =
      4 * cells.size() >= static_cast<size_t>(pair.grid_width * pair.grid_height);
  return contrast(pair.original) + (share_enough ? 256.0 : 0.0);
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
    pair.parameters[v] = sample_view(random, options.recipe[v], size, options.image_size);
    pair.views[v] = to_image(apply_view(image, pair.parameters[v], options.image_size));
    const auto box = view_box(pair.parameters[v], size);
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

void write_pair_picture(const std::filesystem::path& path, const Source& source,
                        const LoaderOptions& options, int64_t grid, double pos_ratio) {
  std::optional<ViewPair> chosen;
  std::string trouble = "there is none";
  std::vector<uint8_t> buffer;
  const int64_t tries = std::min(source.size(), kMostTried);
  for (int64_t i = 0; i < tries; ++i) {
    const int64_t sample = i * source.size() / tries;
    try {
      ViewPair pair = make_view_pair(decode_image(source.read(sample, buffer), options.decoding),
                                     sample, options, grid, pos_ratio);
      if (!chosen || worth(pair) > worth(*chosen)) chosen = std::move(pair);
    } catch (const engine::Error& error) {
      trouble = source.name(sample) + ": " + error.what();
    }
  }
  engine::require(chosen.has_value(), "pair picture: none of ", tries,
                  " images could be read; the last: ", trouble);
  write_png(path, paint_pairs(*chosen));
}

}  // namespace pixpro
