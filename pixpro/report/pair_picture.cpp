#include "pixpro/report/pair_picture.h"

#include <algorithm>
#include <memory>
#include <set>

#include "engine/error.h"
#include "engine/random.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/data/batches/sampler.h"
#include "pixpro/data/codecs/decoder.h"
#include "pixpro/method/positives.h"

namespace pixpro {
namespace {

constexpr int64_t kSpread = 32, kMostTried = 8;
constexpr int kLongestSide = 1024;  // pixels; about as many as the picture shows

std::array<ViewParameters, 2> sample_views(int64_t sample, const LoaderOptions& options,
                                           Size size) {
  std::array<ViewParameters, 2> views;
  for (size_t v = 0; v < 2; ++v) {
    engine::Random random = view_stream(options.seed, 0, sample, static_cast<int>(v));
    views[v] = sample_view(random, options.recipe[v], size, options.image_size);
  }
  return views;
}

// Pairs of cells, row-major indices, of the two views of an image of this size.
std::vector<std::pair<int64_t, int64_t>> positives_of(const std::array<ViewParameters, 2>& views,
                                                      Size size, int64_t grid, double pos_ratio) {
  std::array<Tensor, 2> boxes = {Tensor({1, 4}, engine::DType::f64),
                                 Tensor({1, 4}, engine::DType::f64)};
  for (size_t v = 0; v < 2; ++v) {
    std::ranges::copy(view_box(views[v], size), boxes[v].data<double>());
  }
  const Tensor mask = positive_mask(boxes[0], boxes[1], {grid, grid}, pos_ratio);
  const int64_t cells = grid * grid;
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < cells * cells; ++i) {
    if (mask.data<uint8_t>()[i] != 0) pairs.emplace_back(i / cells, i % cells);
  }
  return pairs;
}

// Whether a quarter of the first view's cells have a positive partner, if the image has the usual
// proportions of a photograph.
bool share_enough(int64_t sample, const LoaderOptions& options, int64_t grid, double pos_ratio) {
  constexpr Size kPhotograph{640, 480};
  std::set<int64_t> cells;
  for (const auto& [first, second] :
       positives_of(sample_views(sample, options, kPhotograph), kPhotograph, grid, pos_ratio)) {
    cells.insert(first);
  }
  return 4 * static_cast<int64_t>(cells.size()) >= grid * grid;
}

// The samples to try, the best first. They are drawn from equal parts of the source, because often
// every second or third file is of the same kind.
std::vector<int64_t> candidates(int64_t count, const LoaderOptions& options, int64_t grid,
                                double pos_ratio) {
  const int64_t spread = std::min(count, kSpread);
  // Views have the streams that end in 1 and 2. The substitute for sample 0 has this one too, which
  // does no harm.
  engine::Random random(options.seed, 0, 0, 3);
  std::vector<int64_t> samples;
  for (int64_t i = 0; i < spread; ++i) {
    const int64_t begin = i * count / spread, end = (i + 1) * count / spread;
    samples.push_back(begin + random.below(end - begin));
  }
  std::stable_partition(samples.begin(), samples.end(), [&](int64_t sample) {
    return share_enough(sample, options, grid, pos_ratio);
  });
  samples.resize(static_cast<size_t>(std::min(spread, kMostTried)));
  return samples;
}

// The image, shrunk to a longer side of kLongestSide if that is less than its own.
Image decode_small(Bytes bytes, const DecodeOptions& options) {
  const std::unique_ptr<Decoder> decoder = open_image(bytes, options);
  const Size size = decoder->size();
  const Box whole{0, 0, size.width, size.height};
  const int longer = std::max(size.width, size.height);
  if (longer <= kLongestSide) return decoder->decode(whole);
  const auto shrunk = [&](int side) {
    return static_cast<int>(std::max(int64_t{side} * kLongestSide / longer, int64_t{1}));
  };
  RowResizer resizer(size, {shrunk(size.width), shrunk(size.height)}, false);
  decoder->decode(
      whole, [&](const RowBlock& block) { resizer.add(block.pixels, block.stride, block.rows); });
  return to_image(resizer.take());
}

}  // namespace

ViewPair make_view_pair(const Image& image, int64_t sample, const LoaderOptions& options,
                        int64_t grid, double pos_ratio) {
  const Size size{image.width, image.height};
  ViewPair pair{.original = image,
                .parameters = sample_views(sample, options, size),
                .views = {},
                .positives = {}};
  pair.grid_width = pair.grid_height = static_cast<int>(grid);
  for (size_t v = 0; v < 2; ++v) {
    pair.views[v] = to_image(apply_view(image, pair.parameters[v], options.image_size));
  }
  pair.positives = positives_of(pair.parameters, size, grid, pos_ratio);
  return pair;
}

void write_pair_picture(const std::filesystem::path& path, const Source& source,
                        const LoaderOptions& options, int64_t grid, double pos_ratio) {
  std::string trouble;
  std::vector<uint8_t> buffer;
  for (const int64_t sample : candidates(source.size(), options, grid, pos_ratio)) {
    Image picture;
    try {
      const Image image = decode_small(source.read(sample, buffer), options.decoding);
      picture = paint_pairs(make_view_pair(image, sample, options, grid, pos_ratio));
    } catch (const std::exception& error) {  // also if memory is short
      trouble = source.name(sample) + ": " + error.what();
      continue;
    }
    return write_png(path, picture);
  }
  engine::fail("none of the images that were tried can be read; the last: ", trouble);
}

}  // namespace pixpro
