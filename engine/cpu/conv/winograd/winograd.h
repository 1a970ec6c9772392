// Winograd's convolution for 3x3 kernels with stride 1, or stride 2 and padding 1 (scheme.h has the
// formula). Every element of the transformed tiles is a matrix product of tiles x inputs and
// inputs x outputs, which the register tiles of the direct convolution compute. f32, activations in
// kLaneLayout, no groups, dilation or bias. The gradient of the weights is the exact gradient of
// the same formula. Results do not depend on the number of threads.
//
// A tile of m x m outputs takes (m + 2)^2 multiplications instead of 9 m^2; with stride 2 it takes
// (2 m + 1)^2. The largest relative error against float64 is 1e-6 for m = 2, and also for m = 3
// with stride 2, as with the direct kernel; it is 4e-6 for m = 4, and 8e-6 for m = 6 and 7.
//
// Tiles are taken in strips, whose transforms stay in the cache and need little memory.
#pragma once

#include "engine/kernels/conv.h"

namespace engine {

// The sizes of tile that exist: tile x tile outputs.
struct WinogradTile {
  int64_t stride, tile;
};
inline constexpr WinogradTile kWinogradTiles[] = {{1, 2}, {1, 3}, {1, 4}, {1, 5},
                                                  {1, 6}, {2, 3}, {2, 7}};

void winograd_conv_forward(CpuContext&, int64_t tile, const Tensor& x, const Tensor& w,
                           const Conv2dOptions& options, Tensor& y);
// dx = (adds ? dx : 0) + the gradient.
void winograd_conv_backward_data(CpuContext&, int64_t tile, const Tensor& dy, const Tensor& w,
                                 const Conv2dOptions& options, bool adds, Tensor& dx);
void winograd_conv_backward_weights(int64_t tile, const Tensor& x, const Tensor& dy,
                                    const Conv2dOptions& options, Tensor& dw);

}  // namespace engine
