// This file is compiled without fused multiply-add: Pillow rounds both the product and the sum.
#include "pixpro/data/augment/resize_weights.h"

#include <algorithm>
#include <cmath>

namespace pixpro {
namespace {

// The weights of one output position under its triangle: inputs `first` .. `first + count - 1`.
struct Triangle {
  int first = 0, count = 0;
  double center = 0;
};

ResizeWeights triangle_weights(int inputs, int outputs) {
  const double scale = static_cast<double>(inputs) / outputs;
  const double radius = std::max(scale, 1.0);
  const auto triangle = [&](int output) {
    Triangle t{.center = (output + 0.5) * scale};
    t.first = std::max(static_cast<int>(t.center - radius + 0.5), 0);
    t.count = std::min(static_cast<int>(t.center + radius + 0.5), inputs) - t.first;
    return t;
  };
  ResizeWeights weights;
  for (int output = 0; output < outputs; ++output) {
    weights.taps = std::max(weights.taps, triangle(output).count);
  }
  weights.first.resize(static_cast<size_t>(outputs));
  weights.fixed.resize(static_cast<size_t>(outputs) * static_cast<size_t>(weights.taps));
  std::vector<double> exact(static_cast<size_t>(weights.taps));
  for (int output = 0; output < outputs; ++output) {
    const Triangle t = triangle(output);
    double sum = 0;
    for (int i = 0; i < t.count; ++i) {
      const double distance = std::abs((i + t.first - t.center + 0.5) * (1.0 / radius));
      exact[static_cast<size_t>(i)] = std::max(1.0 - distance, 0.0);
      sum += exact[static_cast<size_t>(i)];
    }
    const int first = std::min(t.first, inputs - weights.taps);
    weights.first[static_cast<size_t>(output)] = first;
    int32_t* fixed = weights.fixed.data() + static_cast<int64_t>(output) * weights.taps;
    for (int i = 0; i < t.count; ++i) {
      const double share = sum != 0 ? exact[static_cast<size_t>(i)] / sum : 0.0;
      fixed[t.first - first + i] = static_cast<int32_t>(0.5 + share * (1 << kResizeBits));
    }
  }
  return weights;
}

// Each output equals its input.
ResizeWeights identity_weights(int positions) {
  ResizeWeights weights;
  weights.taps = 1;
  for (int i = 0; i < positions; ++i) weights.first.push_back(i);
  weights.fixed.assign(static_cast<size_t>(positions), 1 << kResizeBits);
  return weights;
}

void mirror(ResizeWeights& weights) {
  const auto outputs = static_cast<int64_t>(weights.first.size());
  std::reverse(weights.first.begin(), weights.first.end());
  for (int64_t left = 0, right = outputs - 1; left < right; ++left, --right) {
    std::swap_ranges(weights.fixed.begin() + left * weights.taps,
                     weights.fixed.begin() + (left + 1) * weights.taps,
                     weights.fixed.begin() + right * weights.taps);
  }
}

}  // namespace

ResizeWeights resize_weights(int inputs, int outputs, bool mirrored) {
  ResizeWeights weights =
      inputs == outputs ? identity_weights(inputs) : triangle_weights(inputs, outputs);
  if (mirrored) mirror(weights);
  return weights;
}

}  // namespace pixpro
