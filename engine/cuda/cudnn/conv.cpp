// Convolutions on CUDA: cuDNN on channels-last tensors, and the project's kernels for the bias.
#include "engine/kernels/conv.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/cuda/cudnn/cudnn.h"
#include "engine/cuda/kernels/bias.h"
#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

cudnnDataType_t cudnn_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDNN_DATA_FLOAT;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    case DType::f16:
      return CUDNN_DATA_HALF;
    default:
      fail("conv2d: expected f32, bf16 or f16 on CUDA, found ", dtype);
  }
}

// The largest power of two, at most 16, that divides the address: vector loads may rely on it.
int64_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address) | 16;
  return static_cast<int64_t>(bits & -bits);
}

// t itself if it is channels-last, otherwise a channels-last tensor that finish() copies to t.
class Output {
 public:
  explicit Output(Tensor& t) : target_(t), tensor_(t) {
    if (t.layout() != Layout::nhwc)
      tensor_ = Tensor(t.shape(), t.dtype(), t.device(), Layout::nhwc);
  }
  Tensor& tensor() { return tensor_; }
  void finish() {
    if (target_.layout() != Layout::nhwc) copy_into(tensor_, target_);
  }

 private:
  Tensor& target_;
  Tensor tensor_;
};

// The tensors' memory. The one that the direction writes is asked for as writable, which gives it a
// new version (see Tensor::data); reading must not do that.
ConvData data_of(ConvDirection direction, Tensor& x, Tensor& w, Tensor& y) {
  ConvData data{std::as_const(x).raw(), std::as_const(w).raw(), std::as_const(y).raw()};
  switch (direction) {
    case ConvDirection::forward:
      data.y = y.raw();
      break;
    case ConvDirection::backward_data:
      data.x = x.raw();
      break;
    case ConvDirection::backward_weights:
      data.w = w.raw();
      break;
  }
  return data;
}

// Runs one of the three directions. The tensors are channels-last and not empty.
void convolve(CudaContext& ctx, ConvDirection direction, Tensor x, Tensor w, Tensor y,
              const Conv2dOptions& options) {
  const ConvData data = data_of(direction, x, w, y);
  const ConvProblem problem{
      .direction = direction,
      .type = cudnn_type(x.dtype()),
      .x = x.shape(),
      .w = w.shape(),
      .options = options,
      .alignment = std::min({alignment_of(data.x), alignment_of(data.w), alignment_of(data.y)}),
      .tf32 = ctx.settings.tf32,
      .deterministic = ctx.settings.deterministic};
  ctx.cudnn().convolve(ctx, problem, data);
}

Tensor channels_last(const Tensor& t) { return to_layout(t, Layout::nhwc); }

void set_to_zero(CudaContext& ctx, Tensor& t) {
  if (t.defined() && t.bytes() > 0) {
    check(cudaMemsetAsync(t.raw(), 0, static_cast<size_t>(t.bytes()), ctx.stream()));
  }
}

}  // namespace

void conv2d_forward(CudaContext& ctx, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Conv2dOptions& options, Tensor& y) {
  check_conv2d("conv2d", x, w, bias, options, y);
  if (y.elements() == 0) return;
  Output out(y);
  convolve(ctx, ConvDirection::forward, channels_last(x), channels_last(w), out.tensor(), options);
  if (bias.defined()) add_bias(ctx, bias, out.tensor());
  out.finish();
}

void conv2d_backward_data(CudaContext& ctx, const Tensor& dy, const Tensor& w,
                          const Conv2dOptions& options, Tensor& dx, bool adds) {
  if (adds) {
    Tensor part = empty_like(dx);
    conv2d_backward_data(ctx, dy, w, options, part);
    return add(ctx, dx, part, dx);
  }
  check_conv2d("conv2d backward", dx, w, Tensor(), options, dy);
  if (dx.elements() == 0) return;
  Output out(dx);
  convolve(ctx, ConvDirection::backward_data, out.tensor(), channels_last(w), channels_last(dy),
           options);
  out.finish();
}

void conv2d_backward_weights(CudaContext& ctx, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db) {
  check_conv2d("conv2d backward", x, dw, db, options, dy);
  if (x.elements() == 0) {
    set_to_zero(ctx, dw);
    set_to_zero(ctx, db);
    return;
  }
  Output out(dw);
  const Tensor gradient = channels_last(dy);
  convolve(ctx, ConvDirection::backward_weights, channels_last(x), out.tensor(), gradient, options);
  out.finish();
  if (db.defined()) bias_gradient(ctx, gradient, db);
}

}  // namespace engine
