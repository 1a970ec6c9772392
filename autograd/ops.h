// The differentiable ops. Each is one short function, forward and backward side by side, in
// autograd/ops/. Shapes and formulas are those of the kernels (engine/kernels/*.h).
#pragma once

#include "autograd/tape.h"
#include "engine/kernels/conv.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/pool.h"

namespace engine {
class Communicator;
}

namespace autograd {

// x: [N,C,H,W], weight: [O,C/groups,KH,KW], bias: [O] or undefined -> [N,O,H',W'].
Var conv2d(const Var& x, const Var& weight, const Var& bias,
           const engine::Conv2dOptions& options = {});

// What batch_norm needs beside x. In training, each of `parts` equal parts of the batch is
// normalised with its own statistics, which update the running estimates part by part. In
// evaluation the running estimates take the place of the statistics.
struct BatchNorm {
  Var weight{}, bias{};                  // [C]
  Tensor running_mean{}, running_var{};  // [C], updated in place in training
  bool training = true;
  int64_t parts = 1;
  double momentum = 0.1;  // of the running estimates
  double eps = 1e-5;
  bool relu = false;
  // If not null, the batch is spread over these ranks, and the statistics of a part are those of
  // all ranks' images in it (SyncBN). Every rank then calls the same batch_norms in the same order,
  // and passes that run concurrently use a lane each; a backward uses the lane of its forward.
  // Gradients of weight and bias are those of this rank's images. Without effect in evaluation.
  engine::Communicator* ranks = nullptr;
};
// y = normalised x * weight + bias, plus `residual` if it is defined (shaped like x), then ReLU if
// asked for. If no tape is recording and the caller has moved in the only handle on x, y is
// written into its memory.
Var batch_norm(Var x, const Var& residual, const BatchNorm& norm);

Var relu(const Var& x);
Var add(const Var& a, const Var& b);
Var scale(const Var& x, double factor);
Var clamp_power(const Var& x, const engine::ClampPower& options);

Var max_pool2d(const Var& x, engine::PoolOptions options);
Var global_average_pool(const Var& x);  // [N,C,H,W] -> [N,C]

// x: [M,K], weight: [N,K], bias: [N] or undefined -> [M,N].
Var linear(const Var& x, const Var& weight, const Var& bias);
Var matmul(const Var& a, const Var& b, engine::MatmulOptions options = {});

// x / max(|x|, 1e-12) over the channels; [N,C,H,W], [N,C,P] or [N,C].
Var l2_normalize(const Var& x);

// [N,C,H,W] in any layout -> [N,C,H*W] plain; bf16 and f16 become f32.
Var flatten_pixels(const Var& x);

// The same elements in another type; x itself if it has that type already.
Var cast(const Var& x, DType dtype);

}  // namespace autograd
