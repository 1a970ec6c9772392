// Finishes raw views (raw_view.h) on a CUDA device: resizes, changes colours and
// normalises what the loader's workers have decoded. The pixels are those that the workers would
// have made.
#pragma once

#include <memory>

#include "engine/context.h"
#include "engine/tensor.h"
#include "engine/transfers.h"
#include "pixpro/data/batches/batch.h"

namespace pixpro {

// raw: u8 [M, raw_view_bytes(S)], written by make_views; views: [M,3,S,S] in any layout, f32, bf16
// or f16: the values of normalize(), rounded to the type.
void finish_views(engine::CudaContext&, const engine::Tensor& raw, engine::Tensor& views);

class DeviceViews {
 public:
  // Views of size x size pixels, in the type and layout in which the device's networks take them.
  DeviceViews(engine::Device device, engine::DType dtype, int size);

  // Queues the work and returns; the raw views, on the host, may be overwritten at once.
  engine::Tensor finish(const engine::Tensor& raw);
  Batch finish(const RawBatch& raw);

 private:
  engine::Device device_;
  engine::DType dtype_;
  int size_;
  std::unique_ptr<engine::Upload> upload_;
};

}  // namespace pixpro
