#include "engine/cpu/conv/window.h"

#include <algorithm>

#include "engine/parallel.h"

namespace engine {
namespace {

// One row of a window from a row of `width` pixels.
void copy_row(const float* row, int64_t width, const PixelWindow& window, float* out) {
  const int64_t begin = std::clamp<int64_t>(-window.left, 0, window.width);
  const int64_t end = std::clamp<int64_t>(width - window.left, begin, window.width);
  std::fill(out, out + begin * kLanes, 0.0f);
  std::copy_n(row + (window.left + begin) * kLanes, (end - begin) * kLanes, out + begin * kLanes);
  std::fill(out + end * kLanes, out + window.width * kLanes, 0.0f);
}

// Calls f(offset in x, offset in spaced), both in floats, for the first pixel of every stride-th
// row of x and of the row of `spaced` that holds every stride-th pixel of it.
template <class F>
void for_spaced_rows(const Shape& x, const Shape& spaced, int64_t stride, F&& f) {
  const int64_t rows = spaced[2], row_floats = spaced[3] * kLanes;
  parallel_for(spaced[0] * spaced[1] / kLanes * rows, grain_of(row_floats),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   f((i / rows * x[2] + i % rows * stride) * x[3] * kLanes, i * row_floats);
                 }
               });
}

}  // namespace

std::vector<PixelBlock> blocks_of(int64_t images, int64_t height, int64_t width, int64_t pixels,
                                  int64_t parts) {
  std::vector<PixelBlock> blocks;
  if (height * width <= pixels && images >= parts) {
    const int64_t wanted = std::max(parts, ceil_div(images * height * width, pixels));
    const int64_t count = std::min(images, ceil_div(wanted, parts) * parts);
    for (int64_t i = 0; i < count; ++i) {
      const int64_t begin = part_begin(images, i, count);
      blocks.push_back({begin, part_begin(images, i + 1, count) - begin, 0, height});
    }
    return blocks;
  }
  const int64_t count =
      std::min(height, std::max(ceil_div(parts, images), ceil_div(height * width, pixels)));
  for (int64_t image = 0; image < images; ++image) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t begin = part_begin(height, i, count);
      blocks.push_back({image, 1, begin, part_begin(height, i + 1, count) - begin});
    }
  }
  return blocks;
}

void copy_window(const ChannelImage& image, const PixelWindow& window, float* out, int64_t plane) {
  const int64_t row_floats = window.width * kLanes;
  for (int64_t block = 0; block < image.blocks; ++block) {
    for (int64_t i = 0; i < window.height; ++i) {
      const int64_t row = window.top + i;
      float* to = out + block * plane + i * row_floats;
      if (row < 0 || row >= image.height) {
        std::fill(to, to + row_floats, 0.0f);
        continue;
      }
      const float* from = image.data + (block * image.height + row) * image.width * kLanes;
      copy_row(from, image.width, window, to);
    }
  }
}

Tensor gather_pixels(const Tensor& x, int64_t stride) {
  const Shape& s = x.shape();
  const Shape spaced{s[0], s[1], ceil_div(s[2], stride), ceil_div(s[3], stride)};
  Tensor pixels(spaced, x.dtype(), x.device(), x.layout());
  const float* in = x.data<float>();
  float* out = pixels.data<float>();
  for_spaced_rows(s, spaced, stride, [&](int64_t row, int64_t to) {
    for (int64_t j = 0; j < spaced[3]; ++j) {
      lanes(out + to + j * kLanes) = lanes(in + row + j * stride * kLanes);
    }
  });
  return pixels;
}

void scatter_pixels(const Tensor& pixels, int64_t stride, bool adds, Tensor& x) {
  const Shape &s = x.shape(), &spaced = pixels.shape();
  const float* in = pixels.data<float>();
  float* out = x.data<float>();
  for_spaced_rows(s, spaced, stride, [&](int64_t row, int64_t from) {
    if (!adds) {
      const int64_t left = s[2] - row / (s[3] * kLanes) % s[2];  // rows to the end of the plane
      std::fill_n(out + row, std::min(stride, left) * s[3] * kLanes, 0.0f);
    }
    for (int64_t j = 0; j < spaced[3]; ++j) {
      lanes(out + row + j * stride * kLanes) += lanes(in + from + j * kLanes);
    }
  });
}

}  // namespace engine
