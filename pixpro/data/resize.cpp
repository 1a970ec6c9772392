#include "pixpro/data/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/error.h"

namespace pixpro {
namespace {

// Four 32-bit lanes: red, green, blue and one that is thrown away.
using Lanes = int32_t __attribute__((vector_size(16)));
using Bytes = uint8_t __attribute__((vector_size(4)));

// Pillow's fixed point: 32 bits less 8 of the pixel less 2 for sums over 1.
constexpr int kFractionBits = 22;
constexpr int32_t kHalf = 1 << (kFractionBits - 1);

uint8_t to_byte(int32_t fixed) {
  return static_cast<uint8_t>(std::clamp(fixed >> kFractionBits, 0, 255));
}

// For each output position of one axis: the first input position and the weights from there on.
struct Weights {
  std::vector<int> first, count;
  std::vector<int32_t> fixed;  // [outputs, stride]
  int stride = 0;
  const int32_t* at(int output) const {
    return fixed.data() + static_cast<int64_t>(output) * stride;
  }
};

Weights triangle_weights(int inputs, int outputs) {
  const double scale = static_cast<double>(inputs) / outputs;
  const double radius = std::max(scale, 1.0);
  Weights weights;
  weights.stride = static_cast<int>(std::ceil(radius)) * 2 + 1;
  weights.fixed.resize(static_cast<size_t>(outputs) * static_cast<size_t>(weights.stride));
  std::vector<double> exact(static_cast<size_t>(weights.stride));
  for (int output = 0; output < outputs; ++output) {
    const double center = (output + 0.5) * scale;
    const int first = std::max(static_cast<int>(center - radius + 0.5), 0);
    const int count = std::min(static_cast<int>(center + radius + 0.5), inputs) - first;
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const double distance = std::abs((i + first - center + 0.5) * (1.0 / radius));
      exact[static_cast<size_t>(i)] = std::max(1.0 - distance, 0.0);
      sum += exact[static_cast<size_t>(i)];
    }
    int32_t* fixed = weights.fixed.data() + static_cast<int64_t>(output) * weights.stride;
    for (int i = 0; i < count; ++i) {
      const double share = sum != 0 ? exact[static_cast<size_t>(i)] / sum : 0.0;
      fixed[i] = static_cast<int32_t>(0.5 + share * (1 << kFractionBits));
    }
    weights.first.push_back(first);
    weights.count.push_back(count);
  }
  return weights;
}

// pixels: one row, readable one byte beyond its last pixel; out: a row of weights.first.size().
void resize_row(const uint8_t* pixels, const Weights& weights, uint8_t* out) {
  const int outputs = static_cast<int>(weights.first.size());
  for (int x = 0; x < outputs; ++x, out += 3) {
    const uint8_t* pixel = pixels + 3 * weights.first[static_cast<size_t>(x)];
    const int32_t* weight = weights.at(x);
    Lanes sum = {kHalf, kHalf, kHalf, 0};
    for (int i = 0; i < weights.count[static_cast<size_t>(x)]; ++i, pixel += 3) {
      Bytes bytes;
      std::memcpy(&bytes, pixel, sizeof bytes);
      sum += __builtin_convertvector(bytes, Lanes) * weight[i];
    }
    for (int c = 0; c < 3; ++c) out[c] = to_byte(sum[c]);
  }
}

Image resize_width(const Image& image, const Box& box, int width) {
  const Weights weights = triangle_weights(box.width, width);
  Image out(width, box.height);
  std::vector<uint8_t> padded;  // the picture's last row has no byte behind it
  for (int y = 0; y < box.height; ++y) {
    const uint8_t* pixels = image.row(box.top + y) + 3 * box.left;
    if (box.top + y == image.height - 1) {
      padded.assign(pixels, pixels + 3 * box.width);
      padded.push_back(0);
      pixels = padded.data();
    }
    resize_row(pixels, weights, out.row(y));
  }
  return out;
}

Image resize_height(const Image& image, int height) {
  const Weights weights = triangle_weights(image.height, height);
  Image out(image.width, height);
  const int values = 3 * image.width;
  std::vector<int32_t> sums(static_cast<size_t>(values));
  for (int y = 0; y < height; ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    for (int i = 0; i < weights.count[static_cast<size_t>(y)]; ++i) {
      const uint8_t* in = image.row(weights.first[static_cast<size_t>(y)] + i);
      const int32_t weight = weights.at(y)[i];
      for (int v = 0; v < values; ++v) sums[static_cast<size_t>(v)] += in[v] * weight;
    }
    std::transform(sums.begin(), sums.end(), out.row(y), to_byte);
  }
  return out;
}

Image crop(const Image& image, const Box& box) {
  Image out(box.width, box.height);
  for (int y = 0; y < box.height; ++y) {
    std::copy_n(image.row(box.top + y) + 3 * box.left, 3 * box.width, out.row(y));
  }
  return out;
}

}  // namespace

Image resized_crop(const Image& image, const Box& box, int width, int height) {
  engine::require(box.left >= 0 && box.top >= 0 && box.width >= 1 && box.height >= 1 &&
                      box.left <= image.width - box.width && box.top <= image.height - box.height,
                  "crop: the box of ", box.width, " x ", box.height, " pixels at (", box.left, ", ",
                  box.top, ") leaves the picture of ", image.width, " x ", image.height);
  engine::require(width >= 1 && height >= 1, "resize: cannot make ", width, " x ", height,
                  " pixels");
  // A pass that would change nothing is left out, as there; its weights would be exactly 1.
  Image out = box.width == width ? crop(image, box) : resize_width(image, box, width);
  return out.height == height ? out : resize_height(out, height);
}

Image resize_shorter(const Image& image, int size) {
  const auto longer = [&](int side, int other) {
    return static_cast<int>(static_cast<int64_t>(size) * side / other);
  };
  const bool upright = image.width <= image.height;
  const int width = upright ? size : longer(image.width, image.height);
  const int height = upright ? longer(image.height, image.width) : size;
  return resized_crop(image, {0, 0, image.width, image.height}, width, height);
}

Image center_crop(const Image& image, int size) {
  engine::require(size >= 1 && size <= image.width && size <= image.height, "center crop of ", size,
                  " pixels from a picture of ", image.width, " x ", image.height);
  // nearbyint: halves go to the even number, as in Python.
  const int left = static_cast<int>(std::nearbyint((image.width - size) / 2.0));
  const int top = static_cast<int>(std::nearbyint((image.height - size) / 2.0));
  return crop(image, {left, top, size, size});
}

void flip_horizontally(Image& image) {
  for (int y = 0; y < image.height; ++y) {
    uint8_t* left = image.row(y);
    uint8_t* right = left + 3 * (image.width - 1);
    for (; left < right; left += 3, right -= 3) std::swap_ranges(left, left + 3, right);
  }
}

}  // namespace pixpro
