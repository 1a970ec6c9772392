#include "engine/transfers.h"

#include <utility>

namespace engine {

Upload::Upload(Device device) {
  if constexpr (kHasCuda) {
    if (device != kCpu) cuda_ = make_cuda_upload(device);
  }
}

std::vector<Tensor> Upload::send(const std::vector<Tensor>& tensors) {
  if constexpr (kHasCuda) {
    if (cuda_) return engine::send(*cuda_, tensors);
  }
  return tensors;
}

Readback::Readback(Device device) {
  if constexpr (kHasCuda) {
    if (device != kCpu) cuda_ = make_cuda_readback(device);
  }
}

void Readback::start(const std::vector<Tensor>& tensors) {
  if constexpr (kHasCuda) {
    if (cuda_) return engine::start(*cuda_, tensors);
  }
  here_ = tensors;
}

std::vector<Tensor> Readback::finish() {
  if constexpr (kHasCuda) {
    if (cuda_) return engine::finish(*cuda_);
  }
  return std::move(here_);
}

}  // namespace engine
