// Views that a CUDA device makes of what the loader's workers have decoded (LoaderOptions::raw),
// with the pixels that the workers would have made.
#pragma once

#include <memory>

#include "engine/context.h"
#include "engine/tensor.h"
#include "engine/transfers.h"

namespace pixpro {

// raw: u8 [M, raw_view_bytes(S)], written by make_raw_views; views: [M,3,S,S] in any layout, f32,
// bf16 or f16, as normalize() has them, rounded to the type.
void finish_views(engine::CudaContext&, const engine::Tensor& raw, engine::Tensor& views);

class DeviceViews {
 public:
  // Of `size` pixels a side, in the type and layout in which the device's networks take them.
  DeviceViews(engine::Device device, engine::DType dtype, int size);

  // The views of a batch, on the device, which goes on working when this returns. raw: on the host,
  // may be changed at once.
  engine::Tensor finish(const engine::Tensor& raw);

 private:
  engine::Device device_;
  engine::DType dtype_;
  int size_;
  std::unique_ptr<engine::Upload> upload_;
};

}  // namespace pixpro
