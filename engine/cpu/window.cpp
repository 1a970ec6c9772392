#include "engine/cpu/window.h"

#include <algorithm>

namespace engine {
namespace {

// One row of a window whose pixels are neighbours.
void copy_row(const float* row, int64_t width, const Window& window, float* out) {
  const int64_t begin = std::clamp<int64_t>(-window.left, 0, window.width);
  const int64_t end = std::clamp<int64_t>(width - window.left, begin, window.width);
  std::fill(out, out + begin * kLanes, 0.0f);
  std::copy_n(row + (window.left + begin) * kLanes, (end - begin) * kLanes, out + begin * kLanes);
  std::fill(out + end * kLanes, out + window.width * kLanes, 0.0f);
}

void copy_spaced_row(const float* row, int64_t width, const Window& window, float* out) {
  for (int64_t i = 0; i < window.width; ++i) {
    const int64_t column = window.left + i * window.step;
    const bool inside = column >= 0 && column < width;
    lanes(out + i * kLanes) = inside ? lanes(row + column * kLanes) : Lanes{};
  }
}

}  // namespace

std::vector<Block> blocks_of(int64_t images, int64_t height, int64_t width, int64_t pixels,
                             int64_t parts) {
  std::vector<Block> blocks;
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

void copy_window(const Image& image, const Window& window, float* out, int64_t plane) {
  const int64_t row_floats = window.width * kLanes;
  for (int64_t block = 0; block < image.blocks; ++block) {
    for (int64_t i = 0; i < window.height; ++i) {
      const int64_t row = window.top + i * window.step;
      float* to = out + block * plane + i * row_floats;
      if (row < 0 || row >= image.height) {
        std::fill(to, to + row_floats, 0.0f);
        continue;
      }
      const float* from = image.data + (block * image.height + row) * image.width * kLanes;
      if (window.step == 1) {
        copy_row(from, image.width, window, to);
      } else {
        copy_spaced_row(from, image.width, window, to);
      }
    }
  }
}

}  // namespace engine
