// Batch normalisation, and L2 normalisation of channel vectors.
//
// x, y, dy, residual: [N,C,H,W] or [N,C], in any layout that all of them share. A batch may be a
// stack of `parts` equal parts (a divisor of N); each part has its own statistics.
// statistics: [parts, 2, C] f64: the mean and the biased variance of every part. weight, bias,
// running_mean, running_var: [C] in at_least_f32 of the type of x. L2 normalisation takes f32 and
// f64 only.
#pragma once

#include "engine/context.h"

namespace engine {

// Mean and biased variance over N/parts images and all pixels. The variance is taken around the
// mean, so a large mean costs no digits.
void batch_norm_statistics(CpuContext&, const Tensor& x, Tensor& statistics);
void batch_norm_statistics(CudaContext&, const Tensor& x, Tensor& statistics);

// How many values per channel and part the statistics come from, over all ranks. With several ranks
// only the device knows it, as a tensor [1] f64 that batch_norm_merge has written.
struct BatchNormCount {
  BatchNormCount(int64_t values) : number(values) {}
  BatchNormCount(const Tensor& values) : tensor(values) {}
  int64_t number = 0;
  Tensor tensor{};  // if defined, it counts
};

// The statistics of a batch that is spread over ranks, merged in the order of ranks (Chan, Golub
// and LeVeque, 1979). messages: [ranks, 2 parts C + 1] f64: of every rank the statistics of its
// images, then the number of its values per channel and part. count: [1] f64, written: the sum of
// these.
void batch_norm_merge(CpuContext&, const Tensor& messages, Tensor& statistics, Tensor& count);
void batch_norm_merge(CudaContext&, const Tensor& messages, Tensor& statistics, Tensor& count);

// For each part in turn: running = (1 - momentum) running + momentum * value, with the unbiased
// variance (biased * count / (count - 1)).
struct RunningUpdate {
  double momentum = 0.1;
  BatchNormCount count = 0;
};
void batch_norm_update_running(CpuContext&, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var);
void batch_norm_update_running(CudaContext&, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var);

struct BatchNormOptions {
  double eps = 1e-5;
  bool relu = false;
};

// y = relu?(weight (x - mean) / sqrt(variance + eps) + bias [+ residual]). residual may be
// undefined, and y may be x.
void batch_norm_apply(CpuContext&, const Tensor& x, const Tensor& statistics, const Tensor& weight,
                      const Tensor& bias, const Tensor& residual, BatchNormOptions options,
                      Tensor& y);
void batch_norm_apply(CudaContext&, const Tensor& x, const Tensor& statistics, const Tensor& weight,
                      const Tensor& bias, const Tensor& residual, BatchNormOptions options,
                      Tensor& y);

// batch_norm_statistics, which writes `statistics`, then batch_norm_apply. The CPU does both for
// one group of channels before the next, so that x is read from memory only once.
void batch_norm_forward(CpuContext&, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Tensor& residual, BatchNormOptions options, Tensor& statistics,
                        Tensor& y);
void batch_norm_forward(CudaContext&, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Tensor& residual, BatchNormOptions options, Tensor& statistics,
                        Tensor& y);

// What the backward reads. With relu the gradient passes where the output is above 0. The output is
// y or, if y is undefined (possible without a residual), computed again from x, so that y need not
// be kept.
struct BatchNormInputs {
  const Tensor& dy;
  const Tensor& x;
  const Tensor& y;
  const Tensor& statistics;
  const Tensor& weight;
  const Tensor& bias;
  BatchNormOptions options;
};

// dx = weight / sqrt(variance + eps) (dz - sums0 / count - xhat sums1 / count), with
//   dz     dy where the gradient passes, otherwise 0
//   xhat   (x - mean) / sqrt(variance + eps)
//   sums   [parts, 2, C] f64, written: the sums of dz and of dz * xhat
//   count  as in RunningUpdate; 0 if the statistics are constants (evaluation), which drops the
//          two terms with sums
// dresidual, if defined, becomes dz. dx may be dy or x; dresidual may be dy.
void batch_norm_backward(CpuContext&, const BatchNormInputs& inputs, const BatchNormCount& count,
                         Tensor& sums, Tensor& dx, Tensor& dresidual);
void batch_norm_backward(CudaContext&, const BatchNormInputs& inputs, const BatchNormCount& count,
                         Tensor& sums, Tensor& dx, Tensor& dresidual);

// The two halves of batch_norm_backward. Between them ranks that share a batch add up their sums.
// The first half writes this rank's sums; the second one reads those of all ranks.
void batch_norm_backward_sums(CpuContext&, const BatchNormInputs& inputs, Tensor& sums);
void batch_norm_backward_sums(CudaContext&, const BatchNormInputs& inputs, Tensor& sums);
void batch_norm_backward_apply(CpuContext&, const BatchNormInputs& inputs,
                               const BatchNormCount& count, const Tensor& sums, Tensor& dx,
                               Tensor& dresidual);
void batch_norm_backward_apply(CudaContext&, const BatchNormInputs& inputs,
                               const BatchNormCount& count, const Tensor& sums, Tensor& dx,
                               Tensor& dresidual);

// dweight = sums1 and dbias = sums0, added over the parts. Both: [C] in the type of the weight.
void batch_norm_parameter_gradients(CpuContext&, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias);
void batch_norm_parameter_gradients(CudaContext&, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias);

// y = x / max(|x|, 1e-12), where |x| is taken over the channels of each pixel. x: [N,C,H,W],
// [N,C,P] or [N,C], in any layout. norms: [N, P] in the type of x: max(|x|, 1e-12), negated if |x|
// is below 1e-12. Then the norm is a constant, through which no gradient flows.
void l2_normalize_forward(CpuContext&, const Tensor& x, Tensor& y, Tensor& norms);
void l2_normalize_forward(CudaContext&, const Tensor& x, Tensor& y, Tensor& norms);

// dx = (dy - y (y . dy)) / |x|, or dy / 1e-12 if the norm is the constant.
void l2_normalize_backward(CpuContext&, const Tensor& dy, const Tensor& y, const Tensor& norms,
                           Tensor& dx);
void l2_normalize_backward(CudaContext&, const Tensor& dy, const Tensor& y, const Tensor& norms,
                           Tensor& dx);

// What the kernels of every device check first. `op` begins the message.
void check_batch_norm_statistics(const char* op, const Tensor& x, const Tensor& statistics);
void check_batch_norm_update_running(const Tensor& statistics, const Tensor& running_mean,
                                     const Tensor& running_var);
void check_batch_norm_apply(const Tensor& x, const Tensor& statistics, const Tensor& residual,
                            const Tensor& y);
void check_batch_norm_merge(const Tensor& messages, const Tensor& statistics, const Tensor& count);
void check_batch_norm_backward_sums(const BatchNormInputs& inputs, const Tensor& sums);
void check_batch_norm_backward(const BatchNormInputs& inputs, const Tensor& sums, const Tensor& dx,
                               const Tensor& dresidual);
void check_l2_normalize(const Tensor& x, const Tensor& y, const Tensor& norms);
void check_l2_normalize_backward(const Tensor& dy, const Tensor& y, const Tensor& norms,
                                 const Tensor& dx);

}  // namespace engine
