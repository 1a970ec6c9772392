// One element in, one element out. Tensors of one call have the same shape, type and layout unless
// said otherwise. Outputs may not overlap inputs except where "in place" is said.
#pragma once

#include "engine/context.h"

namespace engine {

void fill(CpuContext&, Tensor& x, double value);  // f32, f64, i64
void fill(CudaContext&, Tensor& x, double value);

// The same bytes: x and y agree in shape, type (any) and layout, not in where they lie. Between the
// host and a CUDA device it returns when they have arrived.
void copy(CpuContext&, const Tensor& x, Tensor& y);
void copy(CudaContext&, const Tensor& x, Tensor& y);

// The same elements in the type (f32, f64; on CUDA also bf16, f16) and layout of y.
void convert(CpuContext&, const Tensor& x, Tensor& y);
void convert(CudaContext&, const Tensor& x, Tensor& y);

// y = a + b; y may be a or b (in place).
void add(CpuContext&, const Tensor& a, const Tensor& b, Tensor& y);
void add(CudaContext&, const Tensor& a, const Tensor& b, Tensor& y);

// y = factor * x; in place allowed.
void scale(CpuContext&, const Tensor& x, double factor, Tensor& y);
void scale(CudaContext&, const Tensor& x, double factor, Tensor& y);

// y[...,j] = x[...,j] + bias[j] over the last axis of a plain x: [M,N], bias: [N]; in place
// allowed.
void add_bias(CpuContext&, const Tensor& x, const Tensor& bias, Tensor& y);
void add_bias(CudaContext&, const Tensor& x, const Tensor& bias, Tensor& y);
// db: [N] = sum of dy: [M,N] over its rows.
void add_bias_backward(CpuContext&, const Tensor& dy, Tensor& db);
void add_bias_backward(CudaContext&, const Tensor& dy, Tensor& db);

// y = max(x, 0); dx = dy where y > 0.
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

}  // namespace engine
