// Activations [N, C/kLanes, H, W, kLanes] as the engine's own kernels read them: how their pixels
// are split into blocks, and copies of some of them.
#pragma once

#include <vector>

#include "engine/cpu/lanes.h"
#include "engine/tensor.h"

namespace engine {

// `rows` rows from first_row on, in each of `images` images from first_image on.
struct PixelBlock {
  int64_t first_image, images, first_row, rows;
};

// Splits `images` grids of height x width into blocks of about `pixels` pixels: several whole
// images, or rows of one. There are at least `parts` blocks, if there are as many rows.
std::vector<PixelBlock> blocks_of(int64_t images, int64_t height, int64_t width, int64_t pixels,
                                  int64_t parts);

// `blocks` channel blocks of one image. The plane of each is height x width pixels of kLanes
// floats; pixels outside of it count as zero.
struct ChannelImage {
  const float* data;
  int64_t blocks, height, width;

  int64_t plane_floats() const { return height * width * kLanes; }
  int64_t floats() const { return blocks * plane_floats(); }
  // `count` channel blocks from `first` on, of the image that comes `number` images later.
  ChannelImage part(int64_t number, int64_t first, int64_t count) const {
    return {data + number * floats() + first * plane_floats(), count, height, width};
  }
};

// The first image of t [N,C,H,W]; the others follow it.
inline ChannelImage image_of(const Tensor& t) {
  const Shape& s = t.shape();
  return {t.data<float>(), s[1] / kLanes, s[2], s[3]};
}

// height x width pixels from (top, left) on, which may be outside of the image.
struct PixelWindow {
  int64_t top, left, height, width;
};

// Copies the window of every channel block to out + block * plane, without gaps between rows.
void copy_window(const ChannelImage& image, const PixelWindow& window, float* out, int64_t plane);

// The pixels of x [N,C,H,W] that a 1x1 kernel with this stride reads: every stride-th one.
Tensor gather_pixels(const Tensor& x, int64_t stride);
// The reverse: x = (adds ? x : 0) + these pixels at their places.
void scatter_pixels(const Tensor& pixels, int64_t stride, bool adds, Tensor& x);

}  // namespace engine
