// Reads a finalised cuDNN plan of one convolution and executes it with simple loops.
#pragma once

#include <cudnn.h>

#include <array>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace cuda_emulation {

// A 4-D tensor as a plan describes it: [N,C,H,W] or [O,I,KH,KW], with strides in elements.
struct PlanTensor {
  int64_t id = 0;  // its unique id in the graph
  cudnnDataType_t type = CUDNN_DATA_FLOAT;
  std::array<int64_t, 4> extents{}, strides{};
  int64_t alignment = 1;  // of its address, in bytes

  int64_t bytes() const;  // from the first element to the end of the last
};

// y = x * w or one of its gradients, told apart by the tensor that is written.
struct ConvPlanText {
  enum Role : size_t { kX, kW, kY };
  std::array<PlanTensor, 3> tensors;  // indexed by Role
  Role output = kY;
  std::array<int64_t, 2> padding{}, stride{}, dilation{};
};

// Reads cuDNN's JSON of an execution plan. Throws std::runtime_error on anything but one
// convolution with alpha 1 and beta 0 summed in f32.
ConvPlanText parse_conv_plan(const std::string& json);

// Computes the output tensor from the other two; `data` is indexed by Role. Sums are taken in f64
// and rounded once, while the kernels of the real library round more often.
void convolve(const ConvPlanText& plan, const std::array<void*, 3>& data);

}  // namespace cuda_emulation
