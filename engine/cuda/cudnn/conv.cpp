// Convolutions on CUDA: cuDNN on channels-last tensors, and kernels of our own for the bias.
#include "engine/kernels/conv.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "engine/cuda/bias.h"
#include "engine/cuda/cudnn/cudnn.h"
#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"

namespace engine {
namespace {

void check_arguments(const char* op, const Tensor& x, const Tensor& w, const Tensor& y,
                     const Conv2dOptions& options) {
  const Shape expected = conv2d_output_shape(x.shape(), w.shape(), options);
  require(y.shape() == expected, op, ": output ", expected, " expected, found ", y.shape());
  require(x.dtype() == w.dtype() && x.dtype() == y.dtype(), op, ": one type expected, found ",
          x.dtype(), ", ", w.dtype(), " and ", y.dtype());
  require(x.device() == w.device() && x.device() == y.device(), op, ": one device expected, found ",
          x.device(), ", ", w.device(), " and ", y.device());
}

void check_bias(const char* op, const Tensor& bias, const Tensor& w) {
  require(!bias.defined() || (bias.shape() == Shape{w.shape()[0]} && bias.dtype() == DType::f32 &&
                              bias.device() == w.device()),
          op, ": bias f32 [", w.shape()[0], "] on ", w.device(), " expected, found ", bias);
}

cudnnDataType_t cudnn_type(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return CUDNN_DATA_FLOAT;
    case DType::bf16:
      return CUDNN_DATA_BFLOAT16;
    case DType::f16:
      return CUDNN_DATA_HALF;
    default:
      fail("cuda: a convolution in f32, bf16 or f16 expected, found ", dtype);
  }
}

// The largest power of two, 16 at most, that divides the address: what vector loads may rely on.
int64_t alignment_of(const void* address) {
  const auto bits = reinterpret_cast<uintptr_t>(address) | 16;
  return static_cast<int64_t>(bits & -bits);
}

// A tensor of its own in channels-last order where t is in another; written back by finish().
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

// One of the three directions on channels-last tensors, none of them empty.
void convolve(CudaContext& ctx, ConvDirection direction, Tensor x, Tensor w, Tensor y,
              const Conv2dOptions& options) {
  Tensor& written = direction == ConvDirection::forward         ? y
                    : direction == ConvDirection::backward_data ? x
                                                                : w;
  const ConvData data{
      .x = std::as_const(x).raw(), .w = std::as_const(w).raw(), .y = std::as_const(y).raw()};
  written.raw();  // its contents get a new version
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
  check_arguments("conv2d", x, w, y, options);
  check_bias("conv2d", bias, w);
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
  check_arguments("conv2d backward", dx, w, dy, options);
  if (dx.elements() == 0) return;
  Output out(dx);
  convolve(ctx, ConvDirection::backward_data, out.tensor(), channels_last(w), channels_last(dy),
           options);
  out.finish();
}

void conv2d_backward_weights(CudaContext& ctx, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db) {
  check_arguments("conv2d backward", x, dw, dy, options);
  check_bias("conv2d backward", db, dw);
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
