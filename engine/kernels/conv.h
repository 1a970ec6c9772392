// 2-D convolution (cross-correlation, as every framework means it).
//
//   y[n,o,i,j] = bias[o] + sum_{c,u,v} w[o,c,u,v] x[n, c, i*stride - padding + u*dilation, ...]
//
// x: [N,C,H,W] any layout; w: [O, C/groups, KH, KW] in parameter_layout(device, shape); bias: [O]
// or undefined; y: [N,O,H',W'] in the layout the caller allocated, best activation_layout(device,
// dtype, O). x, w and y are of one type, the bias of at_least_f32 of it. Outputs are overwritten.
// All throw Error naming both shapes where they do not fit.
#pragma once

#include "engine/context.h"

namespace engine {

struct Conv2dOptions {
  int64_t stride = 1;
  int64_t padding = 0;
  int64_t dilation = 1;
  int64_t groups = 1;
};

enum class ConvDirection : uint8_t { forward, backward_data, backward_weights };

// The shape of y; throws where x, w and the options do not fit together.
Shape conv2d_output_shape(const Shape& x, const Shape& w, const Conv2dOptions& options);

void conv2d_forward(CpuContext&, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Conv2dOptions& options, Tensor& y);
void conv2d_forward(CudaContext&, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Conv2dOptions& options, Tensor& y);

// dx: [N,C,H,W] from dy: [N,O,H',W'], added to what dx holds where `adds`.
void conv2d_backward_data(CpuContext&, const Tensor& dy, const Tensor& w,
                          const Conv2dOptions& options, Tensor& dx, bool adds = false);
void conv2d_backward_data(CudaContext&, const Tensor& dy, const Tensor& w,
                          const Conv2dOptions& options, Tensor& dx, bool adds = false);

// dw like w; db: [O], or undefined where the convolution has no bias.
void conv2d_backward_weights(CpuContext&, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db);
void conv2d_backward_weights(CudaContext&, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db);

}  // namespace engine
