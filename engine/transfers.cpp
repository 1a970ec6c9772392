#include "engine/transfers.h"

#include <utility>

namespace engine {
namespace {

class CpuUpload : public Upload {
 public:
  std::vector<Tensor> send(const std::vector<Tensor>& tensors) override { return tensors; }
};

class CpuReadback : public Readback {
 public:
  void start(const std::vector<Tensor>& tensors) override { tensors_ = tensors; }
  std::vector<Tensor> finish() override { return std::move(tensors_); }

 private:
  std::vector<Tensor> tensors_;
};

}  // namespace

std::unique_ptr<Upload> make_upload(Device device) {
  if constexpr (kHasCuda) {
    if (device.type == Device::Type::cuda) return make_cuda_upload(device.index);
  }
  return std::make_unique<CpuUpload>();
}

std::unique_ptr<Readback> make_readback(Device device) {
  if constexpr (kHasCuda) {
    if (device.type == Device::Type::cuda) return make_cuda_readback(device.index);
  }
  return std::make_unique<CpuReadback>();
}

}  // namespace engine
