// Batch normalisation and L2 normalisation of channel vectors.
//
// x, y, dy, residual: any layout, all the same; [N,C,H,W] or [N,C]. A batch may be a stack of
// `parts` equal parts of the batch (a divisor of N); each part has statistics of its own.
// statistics: [parts, 2, C] f64: mean and biased variance of every part. weight, bias,
// running_mean, running_var: [C] in the type of x; f32 where x is of lower precision. L2
// normalisation takes no such x.
#pragma once

#include "engine/context.h"

namespace engine {

// Mean and biased variance over N/parts images and all pixels; the variance is taken around the
// mean, so large means cost no digits.
void batch_norm_statistics(CpuContext&, const Tensor& x, Tensor& statistics);
void batch_norm_statistics(CudaContext&, const Tensor& x, Tensor& statistics);

// For each part in turn: running = (1 - momentum) running + momentum * value, the variance
// unbiased (count / (count - 1)); count = values a channel and part, over all ranks.
struct RunningUpdate {
  double momentum = 0.1;
  int64_t count = 0;
};
void batch_norm_update_running(CpuContext&, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var);
void batch_norm_update_running(CudaContext&, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var);

struct BatchNormOptions {
  double eps = 1e-5;
  bool relu = false;
};

// y = relu?(weight (x - mean) / sqrt(variance + eps) + bias [+ residual]); residual may be
// undefined, and y may be x.
void batch_norm_apply(CpuContext&, const Tensor& x, const Tensor& statistics, const Tensor& weight,
                      const Tensor& bias, const Tensor& residual, BatchNormOptions options,
                      Tensor& y);
void batch_norm_apply(CudaContext&, const Tensor& x, const Tensor& statistics, const Tensor& weight,
                      const Tensor& bias, const Tensor& residual, BatchNormOptions options,
                      Tensor& y);

// batch_norm_statistics, which are written, and batch_norm_apply. On the CPU a group of channels
// takes both passes at once, so that x comes from memory only once.
void batch_norm_forward(CpuContext&, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Tensor& residual, BatchNormOptions options, Tensor& statistics,
                        Tensor& y);
void batch_norm_forward(CudaContext&, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Tensor& residual, BatchNormOptions options, Tensor& statistics,
                        Tensor& y);

// What the backward reads. With relu the gradient passes where the output is above 0:
// y tells, or where y is undefined (possible without a residual) the output is worked out again
// from x, so that nobody has to keep it.
struct BatchNormInputs {
  const Tensor& dy;
  const Tensor& x;
  const Tensor& y;
  const Tensor& statistics;
  const Tensor& weight;
  const Tensor& bias;
  BatchNormOptions options;
};

// dx = weight / sqrt(variance + eps) (dz - sums0 / count - xhat sums1 / count), where dz = dy where
// the gradient passes, otherwise 0, and xhat = (x - mean) / sqrt(variance + eps); count as in
// RunningUpdate, or 0 where the statistics are constants (evaluation): the two terms vanish.
// sums: [parts, 2, C] f64, written: sum of dz and of dz * xhat. dresidual = dz, where defined. dx
// may be dy or x, dresidual may be dy.
void batch_norm_backward(CpuContext&, const BatchNormInputs& inputs, int64_t count, Tensor& sums,
                         Tensor& dx, Tensor& dresidual);
void batch_norm_backward(CudaContext&, const BatchNormInputs& inputs, int64_t count, Tensor& sums,
                         Tensor& dx, Tensor& dresidual);

// dweight: [C] = sum over the parts of sums1; dbias: [C] = sum of sums0; in the type of the weight.
void batch_norm_parameter_gradients(CpuContext&, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias);
void batch_norm_parameter_gradients(CudaContext&, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias);

// y = x / max(|x|, 1e-12), |x| over the channels of each pixel. x: [N,C,H,W], [N,C,P] or [N,C], any
// layout. norms: [N, P] in the type of x: max(|x|, 1e-12), negated where the clamp was active (a
// constant: no gradient flows through it).
void l2_normalize_forward(CpuContext&, const Tensor& x, Tensor& y, Tensor& norms);
void l2_normalize_forward(CudaContext&, const Tensor& x, Tensor& y, Tensor& norms);

// dx = (dy - y (y . dy)) / |x|; dy / 1e-12 where the clamp was active.
void l2_normalize_backward(CpuContext&, const Tensor& dy, const Tensor& y, const Tensor& norms,
                           Tensor& dx);
void l2_normalize_backward(CudaContext&, const Tensor& dy, const Tensor& y, const Tensor& norms,
                           Tensor& dx);

}  // namespace engine
