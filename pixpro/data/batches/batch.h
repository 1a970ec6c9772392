// What a training step learns from.
#pragma once

#include <cstdint>

#include "engine/tensor.h"

namespace pixpro {

// N images, each with its two views: the N first views come first, then the N second ones.
struct Batch {
  // [2N,3,size,size], normalised by ImageNet's mean and deviation: f32 in plain layout from the
  // loader, otherwise as DeviceViews has finished them.
  engine::Tensor views;
  engine::Tensor boxes;         // f32 [2N,4]: x0, y0, x1, y1, see view_box
  int64_t epoch = 0, step = 0;  // the step within the epoch

  int64_t size() const { return boxes.shape()[0] / 2; }  // N
  engine::Tensor view(int index) const { return views.rows(index * size(), size()); }
  engine::Tensor boxes_of(int index) const { return boxes.rows(index * size(), size()); }
};

// A batch whose views a CUDA device has still to finish, see DeviceViews.
struct RawBatch {
  engine::Tensor raw_views;  // u8 [2N, raw_view_bytes(size)], see raw_view.h
  engine::Tensor boxes;      // as in Batch
  int64_t epoch = 0, step = 0;
};

}  // namespace pixpro
