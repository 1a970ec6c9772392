#include "pixpro/data/batches/views.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "engine/context.h"
#include "engine/profile.h"
#include "pixpro/data/augment/augment.h"
#include "pixpro/data/augment/normalize.h"
#include "pixpro/data/augment/resize.h"
#include "pixpro/data/batches/raw_view.h"
#include "pixpro/data/codecs/decoder.h"

namespace pixpro {
namespace {

using PairParameters = std::array<ViewParameters, 2>;
using PairPlanes = std::array<ColorPlanes, 2>;

// The smallest box that contains both.
Box around(const Box& a, const Box& b) {
  Box box{std::min(a.left, b.left), std::min(a.top, b.top), 0, 0};
  box.width = std::max(a.left + a.width, b.left + b.width) - box.left;
  box.height = std::max(a.top + a.height, b.top + b.height) - box.top;
  return box;
}

// Takes the next rows of a crop: its first pixel in them, bytes from one row to the next, how many.
using CropSink = std::function<void(const uint8_t*, int64_t, int)>;

// Hands out the rows of both crops as they are decoded. The whole image is never in memory.
void decode_crops(Decoder& decoder, const PairParameters& views,
                  const std::array<CropSink, 2>& sinks) {
  const Box region = around(views[0].crop, views[1].crop);
  decoder.decode(region, [&](const RowBlock& block) {
    for (size_t v = 0; v < 2; ++v) {
      const Box& crop = views[v].crop;
      const int first = std::max(block.top, crop.top);
      const int end = std::min(block.top + block.rows, crop.top + crop.height);
      if (first >= end) continue;
      sinks[v](block.pixels + (first - block.top) * block.stride + 3 * (crop.left - region.left),
               block.stride, end - first);
    }
  });
}

RowResizer resizer_of(const ViewParameters& view, int size) {
  return RowResizer({view.crop.width, view.crop.height}, {size, size}, view.flip);
}

CropSink resize_with(RowResizer& resizer) {
  return [&resizer](const uint8_t* pixels, int64_t stride, int rows) {
    const engine::Timer timer(engine::cpu_context(), "resize",
                              static_cast<double>(rows) * static_cast<double>(stride));
    resizer.add(pixels, stride, rows);
  };
}

// Writes rows of `width` pixels from `next` on, without gaps.
CropSink copy_to(uint8_t* next, int width) {
  return [next, bytes = 3 * width](const uint8_t* pixels, int64_t stride, int rows) mutable {
    const engine::Timer timer(engine::cpu_context(), "copy", 2.0 * rows * bytes);
    for (int row = 0; row < rows; ++row) next = std::copy_n(pixels + row * stride, bytes, next);
  };
}

PairPlanes crop_while_decoding(Decoder& decoder, const PairParameters& views, int size) {
  std::array resizers{resizer_of(views[0], size), resizer_of(views[1], size)};
  decode_crops(decoder, views, {resize_with(resizers[0]), resize_with(resizers[1])});
  return {resizers[0].take(), resizers[1].take()};
}

// The whole image is resized before it is cropped.
PairPlanes crop_for_evaluation(Decoder& decoder, const PairParameters& views, int size) {
  const Image image = decoder.decode({0, 0, decoder.size().width, decoder.size().height});
  return {apply_view(image, views[0], size), apply_view(image, views[1], size)};
}

std::unique_ptr<Decoder> open_timed(Bytes bytes, const DecodeOptions& decoding) {
  const engine::Timer timer(engine::cpu_context(), "decode", static_cast<double>(bytes.size()));
  return open_image(bytes, decoding);
}

PairParameters sample_pair(std::array<engine::Random, 2>& streams, const PairRecipe& recipe,
                           Size image, int size) {
  return {sample_view(streams[0], recipe[0], image, size),
          sample_view(streams[1], recipe[1], image, size)};
}

bool is_evaluation(const PairParameters& views) {
  return views[0].shorter_side > 0 || views[1].shorter_side > 0;
}

void write_boxes(const PairParameters& views, Size image, const std::array<float*, 2>& boxes) {
  for (size_t v = 0; v < 2; ++v) {
    std::ranges::copy(view_box(views[v], image), boxes[v]);
  }
}

// How many steps of a raw view the worker applies: all up to the last one without a kernel.
size_t worker_steps(const ViewParameters& view) {
  size_t count = view.steps.size();
  while (count > 0 && has_kernel(view.steps[count - 1].op)) --count;
  return count;
}

// A raw view whose resized pixels are `planes`.
void write_resized(ColorPlanes planes, const ViewParameters& view, int size, uint8_t* row) {
  const std::span<const Step> steps(view.steps);
  const size_t here = worker_steps(view);
  for (const Step& step : steps.first(here)) apply(planes, step);
  write_raw_view(row, size, {size, size}, false, steps.subspan(here));
  std::ranges::copy(to_image(planes).rgb, raw_pixels(row, size));
}

void decode_raw(Decoder& decoder, const PairParameters& views, int size,
                const std::array<uint8_t*, 2>& rows) {
  std::array<std::optional<RowResizer>, 2> resizers;
  std::array<CropSink, 2> sinks;
  for (size_t v = 0; v < 2; ++v) {
    const Size crop{views[v].crop.width, views[v].crop.height};
    if (fits_raw_view(crop, size) && worker_steps(views[v]) == 0) {
      write_raw_view(rows[v], size, crop, views[v].flip, views[v].steps);
      sinks[v] = copy_to(raw_pixels(rows[v], size), crop.width);
    } else {
      resizers[v].emplace(crop, Size{size, size}, views[v].flip);
      sinks[v] = resize_with(*resizers[v]);
    }
  }
  decode_crops(decoder, views, sinks);
  for (size_t v = 0; v < 2; ++v) {
    if (resizers[v]) write_resized(resizers[v]->take(), views[v], size, rows[v]);
  }
}

}  // namespace

void make_views(Bytes bytes, const PairRecipe& recipe, int size,
                std::array<engine::Random, 2> streams, const PairSlots<float>& slots,
                const DecodeOptions& decoding) {
  const std::unique_ptr<Decoder> decoder = open_timed(bytes, decoding);
  const PairParameters views = sample_pair(streams, recipe, decoder->size(), size);
  const bool evaluation = is_evaluation(views);
  PairPlanes pixels = evaluation ? crop_for_evaluation(*decoder, views, size)
                                 : crop_while_decoding(*decoder, views, size);
  for (size_t v = 0; v < 2; ++v) {
    if (!evaluation) {
      for (const Step& step : views[v].steps) apply(pixels[v], step);
    }
    const engine::Timer timer(engine::cpu_context(), "normalize",
                              static_cast<double>(5 * pixels[v].bytes.size()));
    normalize(pixels[v], slots.views[v]);
  }
  write_boxes(views, decoder->size(), slots.boxes);
}

void make_views(Bytes bytes, const PairRecipe& recipe, int size,
                std::array<engine::Random, 2> streams, const PairSlots<uint8_t>& slots,
                const DecodeOptions& decoding) {
  const std::unique_ptr<Decoder> decoder = open_timed(bytes, decoding);
  const PairParameters views = sample_pair(streams, recipe, decoder->size(), size);
  if (is_evaluation(views)) {
    PairPlanes pixels = crop_for_evaluation(*decoder, views, size);
    for (size_t v = 0; v < 2; ++v) {
      write_resized(std::move(pixels[v]), views[v], size, slots.views[v]);
    }
  } else {
    decode_raw(*decoder, views, size, slots.views);
  }
  write_boxes(views, decoder->size(), slots.boxes);
}

}  // namespace pixpro
