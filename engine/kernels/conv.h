// 2-D convolution (cross-correlation, as in every framework).
//
//   y[n,o,i,j] = bias[o] + sum_{c,u,v} w[o,c,u,v] x[n, c, i*stride - padding + u*dilation, ...]
//
// x: [N,C,H,W] in any layout. w: [O, C/groups, KH, KW] in parameter_layout(device, shape). bias:
// [O] or undefined. y: [N,O,H',W'] in the layout in which the caller allocated it;
// activation_layout(device, dtype, O) is the fastest. x, w and y have one type, the bias has
// at_least_f32 of it. Outputs are overwritten. All functions throw Error if the arguments do not
// fit together; the message names both shapes.
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

// The shape of y.
Shape conv2d_output_shape(const Shape& x, const Shape& w, const Conv2dOptions& options);

void conv2d_forward(CpuContext&, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Conv2dOptions& options, Tensor& y);
void conv2d_forward(CudaContext&, const Tensor& x, const Tensor& w, const Tensor& bias,
                    const Conv2dOptions& options, Tensor& y);

// dx: [N,C,H,W] from dy: [N,O,H',W']. If `adds`, it is added to what dx holds.
void conv2d_backward_data(CpuContext&, const Tensor& dy, const Tensor& w,
                          const Conv2dOptions& options, Tensor& dx, bool adds = false);
void conv2d_backward_data(CudaContext&, const Tensor& dy, const Tensor& w,
                          const Conv2dOptions& options, Tensor& dx, bool adds = false);

// dw: like w. db: [O], or undefined if the convolution has no bias.
void conv2d_backward_weights(CpuContext&, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db);
void conv2d_backward_weights(CudaContext&, const Tensor& x, const Tensor& dy,
                             const Conv2dOptions& options, Tensor& dw, Tensor& db);

// What the kernels of every device check first. `op` begins the message. In a backward some of the
// tensors are gradients.
void check_conv2d(const char* op, const Tensor& x, const Tensor& w, const Tensor& bias,
                  const Conv2dOptions& options, const Tensor& y);

}  // namespace engine
