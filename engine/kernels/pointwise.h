// Kernels that compute each output element from one element of every input. Unless said otherwise,
// all tensors of a call have the same shape, type and layout. Outputs may not overlap inputs unless
// the comment says "in place".
#pragma once

#include "engine/context.h"

namespace engine {

void fill(CpuContext&, Tensor& x, double value);  // f32, f64, i64; on CUDA also bf16, f16
void fill(CudaContext&, Tensor& x, double value);

// Copies the bytes. x and y agree in shape, type (any) and layout, but may be on different devices.
// A copy between the host and a CUDA device has arrived when the call returns.
void copy(CpuContext&, const Tensor& x, Tensor& y);
void copy(CudaContext&, const Tensor& x, Tensor& y);

// The same elements in the type (f32, f64, bf16; on CUDA also f16) and layout of y.
void convert(CpuContext&, const Tensor& x, Tensor& y);
void convert(CudaContext&, const Tensor& x, Tensor& y);

// y = a + b; y may be a or b (in place).
void add(CpuContext&, const Tensor& a, const Tensor& b, Tensor& y);
void add(CudaContext&, const Tensor& a, const Tensor& b, Tensor& y);

// y = factor * x; in place allowed.
void scale(CpuContext&, const Tensor& x, double factor, Tensor& y);
void scale(CudaContext&, const Tensor& x, double factor, Tensor& y);

// y[i,j] = x[i,j] + bias[j]. x: [M,N], plain; bias: [N]; in place allowed.
void add_bias(CpuContext&, const Tensor& x, const Tensor& bias, Tensor& y);
void add_bias(CudaContext&, const Tensor& x, const Tensor& bias, Tensor& y);
// db[j] = sum over i of dy[i,j]. dy: [M,N], plain; db: [N].
void add_bias_backward(CpuContext&, const Tensor& dy, Tensor& db);
void add_bias_backward(CudaContext&, const Tensor& dy, Tensor& db);

// y = max(x, 0); dx = dy where y > 0, otherwise 0.
void relu_forward(CpuContext&, const Tensor& x, Tensor& y);
void relu_forward(CudaContext&, const Tensor& x, Tensor& y);
void relu_backward(CpuContext&, const Tensor& dy, const Tensor& y, Tensor& dx);
void relu_backward(CudaContext&, const Tensor& dy, const Tensor& y, Tensor& dx);

// y = (max(x, low) + shift)^power. The gradient passes where x >= low.
struct ClampPower {
  double low = 0.0;
  double power = 2.0;
  double shift = 0.0;
};
void clamp_power_forward(CpuContext&, const Tensor& x, ClampPower options, Tensor& y);
void clamp_power_forward(CudaContext&, const Tensor& x, ClampPower options, Tensor& y);
void clamp_power_backward(CpuContext&, const Tensor& dy, const Tensor& x, ClampPower options,
                          Tensor& dx);
void clamp_power_backward(CudaContext&, const Tensor& dy, const Tensor& x, ClampPower options,
                          Tensor& dx);

// What the kernels of every device check first, besides require_same.
void check_copy(const Tensor& x, const Tensor& y);
void check_convert(const Tensor& x, const Tensor& y);
void check_add_bias(const Tensor& x, const Tensor& bias, const Tensor& y);
void check_add_bias_backward(const Tensor& dy, const Tensor& db);

}  // namespace engine
