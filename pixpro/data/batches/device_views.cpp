#include "pixpro/data/batches/device_views.h"

namespace pixpro {

DeviceViews::DeviceViews(engine::Device device, engine::DType dtype, int size)
    : device_(device), dtype_(dtype), size_(size), upload_(engine::make_upload(device)) {
  engine::require(device.type == engine::Device::Type::cuda,
                  "views are finished on a CUDA device or by the loader's workers, found ", device);
}

engine::Tensor DeviceViews::finish(const engine::Tensor& raw) {
  engine::Tensor views({raw.shape()[0], 3, size_, size_}, dtype_, device_,
                       engine::activation_layout(device_, dtype_, 3));
  const engine::Tensor on_device = upload_->send({raw})[0];
  if constexpr (engine::kHasCuda)
    finish_views(engine::cuda_context(device_.index), on_device, views);
  return views;
}

Batch DeviceViews::finish(const RawBatch& raw) {
  return {finish(raw.raw_views), raw.boxes, raw.epoch, raw.step};
}

}  // namespace pixpro
