// Pieces of activations [N, C/kLanes, H, W, kLanes]: those that fit a core's cache, and the pixels
// that a stride leaves.
#pragma once

#include <vector>

#include "engine/cpu/lanes.h"
#include "engine/tensor.h"

namespace engine {

// Rows first_row .. +rows of images first_image .. +images.
struct PixelBlock {
  int64_t first_image, images, first_row, rows;
};

// Splits `images` grids of height x width into at least `parts` blocks (where there are as many
// rows) of about `pixels` pixels: several whole images, or rows of one.
std::vector<PixelBlock> blocks_of(int64_t images, int64_t height, int64_t width, int64_t pixels,
                                  int64_t parts);

// `blocks` channel blocks of one image. Pixels outside of it count as zero.
struct ChannelImage {
  const float* data;
  int64_t blocks, height, width;
};

// The first image of t [N,C,H,W]; the others lie behind it.
inline ChannelImage image_of(const Tensor& t) {
  const Shape& s = t.shape();
  return {t.data<float>(), s[1] / kLanes, s[2], s[3]};
}

// height x width pixels, the first one at (top, left), which may lie outside.
struct PixelWindow {
  int64_t top, left, height, width;
};

// Copies the window of every channel block to out + block * plane, rows behind each other.
void copy_window(const ChannelImage& image, const PixelWindow& window, float* out, int64_t plane);

// The pixels of x [N,C,H,W] that a 1x1 kernel with this stride reads: every stride-th one.
Tensor gather_pixels(const Tensor& x, int64_t stride);
// The way back: x = (adds ? x : 0) + these pixels where they belong.
void scatter_pixels(const Tensor& pixels, int64_t stride, bool adds, Tensor& x);

}  // namespace engine
