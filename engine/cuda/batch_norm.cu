// Batch normalisation. Sums are taken in f64: the kernels wait for memory, not for arithmetic.
#include "engine/cuda/channel_rows.cuh"
#include "engine/kernels/norm.h"

namespace engine {
namespace {

// parts: [views, chunks, 2, C]: mean and squared deviations around it of each chunk. One pass: sums
// of x - shift, where shift is some value of the channel, lose no digits to a large mean.
template <class T>
__global__ void chunk_moments_kernel(ChannelRows rows, const T* x, double* parts) {
  const int64_t c = rows.channel();
  double sum = 0.0, squares = 0.0;
  float shift = 0.0f;
  if (c < rows.channels) {
    shift = static_cast<float>(x[rows.index(rows.first_row(), c)]);
    rows.for_each(c, [&](int64_t i) {
      const double deviation = static_cast<float>(x[i]) - shift;
      sum += deviation;
      squares += deviation * deviation;
    });
  }
  sum = sum_over_rows(sum);
  squares = sum_over_rows(squares);
  if (threadIdx.y != 0 || c >= rows.channels) return;
  const auto count = static_cast<double>(rows.end_row() - rows.first_row());
  double* out = parts + (int64_t{blockIdx.z} * rows.chunks + blockIdx.y) * 2 * rows.channels + c;
  out[0] = shift + sum / count;
  out[rows.channels] = squares - sum * sum / count;
}

// Merges the chunks' moments: the squared deviations within the chunks, and those of the chunks'
// means.
__global__ void merge_moments_kernel(ChannelRows rows, const double* parts, double* statistics) {
  const int64_t c = rows.channel();
  const double* part = parts + int64_t{blockIdx.z} * rows.chunks * 2 * rows.channels + c;
  const auto sum_chunks = [&](auto term) {
    double sum = 0.0;
    for (int chunk = threadIdx.y; c < rows.channels && chunk < rows.chunks; chunk += kRowThreads) {
      const int64_t begin = chunk * rows.chunk_rows;
      const int64_t end = begin + rows.chunk_rows < rows.rows ? begin + rows.chunk_rows : rows.rows;
      const double* moments = part + int64_t{chunk} * 2 * rows.channels;
      sum += term(static_cast<double>(end - begin), moments[0], moments[rows.channels]);
    }
    return sum_over_rows(sum);
  };
  __shared__ double means[kChannelThreads];
  const auto count = static_cast<double>(rows.rows);
  const double total = sum_chunks([](double n, double mean, double) { return n * mean; });
  if (threadIdx.y == 0) means[threadIdx.x] = total / count;
  __syncthreads();
  const double mean = means[threadIdx.x];
  const double deviations = sum_chunks([mean](double n, double chunk_mean, double m2) {
    return m2 + n * (chunk_mean - mean) * (chunk_mean - mean);
  });
  if (threadIdx.y != 0 || c >= rows.channels) return;
  statistics[rows.entry(c)] = mean;
  statistics[rows.entry(c) + rows.channels] = deviations / count;
}

__global__ void update_running_kernel(int64_t channels, int64_t views, const double* statistics,
                                      double momentum, double unbiased, float* mean, float* var) {
  for_each_index(channels, [&](int64_t c) {
    for (int64_t view = 0; view < views; ++view) {
      const double* row = statistics + view * 2 * channels + c;
      mean[c] = static_cast<float>((1.0 - momentum) * mean[c] + momentum * row[0]);
      var[c] = static_cast<float>((1.0 - momentum) * var[c] + momentum * unbiased * row[channels]);
    }
  });
}

// The constants of one channel and view.
struct Normalizer {
  double inverse_deviation;
  float mean, scale, bias;

  __device__ Normalizer(const ChannelRows& rows, int64_t c, const double* statistics,
                        const float* weight, const float* channel_bias, double eps)
      : inverse_deviation(1.0 / sqrt(statistics[rows.entry(c) + rows.channels] + eps)),
        mean(static_cast<float>(statistics[rows.entry(c)])),
        scale(static_cast<float>(weight[c] * inverse_deviation)),
        bias(channel_bias[c]) {}

  // The batch norm of one value, before residual and relu.
  __device__ float of(float x) const { return (x - mean) * scale + bias; }
};

template <class T>
struct ApplyInputs {
  const T *x, *residual;  // residual may be null
  const double* statistics;
  const float *weight, *bias;
  double eps;
  bool relu;
};

template <class T>
__global__ void apply_kernel(ChannelRows rows, ApplyInputs<T> in, T* y) {
  const int64_t c = rows.channel();
  if (c >= rows.channels) return;
  const Normalizer norm(rows, c, in.statistics, in.weight, in.bias, in.eps);
  rows.for_each(c, [&](int64_t i) {
    float z = norm.of(static_cast<float>(in.x[i]));
    if (in.residual != nullptr) z += static_cast<float>(in.residual[i]);
    y[i] = static_cast<T>(in.relu && z < 0.0f ? 0.0f : z);  // a NaN stays one
  });
}

template <class T>
struct BackwardInputs {
  const T *dy, *x, *y;  // y may be null: the output is worked out again from x
  const double* statistics;
  const float *weight, *bias;
  double eps;
  bool relu;

  // The gradient behind the relu.
  __device__ float dz(const Normalizer& norm, int64_t i) const {
    const auto gradient = static_cast<float>(dy[i]);
    if (!relu) return gradient;
    const float output =
        y != nullptr ? static_cast<float>(y[i]) : norm.of(static_cast<float>(x[i]));
    return output > 0.0f ? gradient : 0.0f;
  }
};

// parts: [views, chunks, 2, C]: each chunk's share of the sums.
template <class T>
__global__ void chunk_sums_kernel(ChannelRows rows, BackwardInputs<T> in, double* parts) {
  const int64_t c = rows.channel();
  double sum = 0.0, products = 0.0;
  if (c < rows.channels) {
    const Normalizer norm(rows, c, in.statistics, in.weight, in.bias, in.eps);
    rows.for_each(c, [&](int64_t i) {
      const double dz = in.dz(norm, i);
      sum += dz;
      products += dz * static_cast<double>(static_cast<float>(in.x[i]) - norm.mean);
    });
    products *= norm.inverse_deviation;
  }
  sum = sum_over_rows(sum);
  products = sum_over_rows(products);
  if (threadIdx.y != 0 || c >= rows.channels) return;
  double* out = parts + (int64_t{blockIdx.z} * rows.chunks + blockIdx.y) * 2 * rows.channels + c;
  out[0] = sum;
  out[rows.channels] = products;
}

__global__ void add_chunks_kernel(ChannelRows rows, const double* parts, double* sums) {
  const int64_t c = rows.channel();
  const double* part = parts + int64_t{blockIdx.z} * rows.chunks * 2 * rows.channels + c;
  for (int which = 0; which < 2; ++which) {
    double sum = 0.0;
    for (int chunk = threadIdx.y; c < rows.channels && chunk < rows.chunks; chunk += kRowThreads) {
      sum += part[(int64_t{chunk} * 2 + which) * rows.channels];
    }
    sum = sum_over_rows(sum);
    if (threadIdx.y == 0 && c < rows.channels) sums[rows.entry(c) + which * rows.channels] = sum;
  }
}

__global__ void parameter_gradients_kernel(int64_t channels, int64_t views, const double* sums,
                                           float* dweight, float* dbias) {
  for_each_index(channels, [&](int64_t c) {
    double weight_sum = 0.0, bias_sum = 0.0;
    for (int64_t view = 0; view < views; ++view) {
      bias_sum += sums[2 * view * channels + c];
      weight_sum += sums[(2 * view + 1) * channels + c];
    }
    dweight[c] = static_cast<float>(weight_sum);
    dbias[c] = static_cast<float>(bias_sum);
  });
}

// share: 1 / count, or 0. dresidual may be null.
template <class T>
__global__ void backward_apply_kernel(ChannelRows rows, BackwardInputs<T> in, const double* sums,
                                      double share, T* dx, T* dresidual) {
  const int64_t c = rows.channel();
  if (c >= rows.channels) return;
  const Normalizer norm(rows, c, in.statistics, in.weight, in.bias, in.eps);
  const double* sum = sums + rows.entry(c);
  const auto offset = static_cast<float>(share * sum[0]);
  const auto slope = static_cast<float>(share * sum[rows.channels] * norm.inverse_deviation);
  rows.for_each(c, [&](int64_t i) {
    const float dz = in.dz(norm, i), deviation = static_cast<float>(in.x[i]) - norm.mean;
    dx[i] = static_cast<T>(norm.scale * (dz - offset - deviation * slope));
    if (dresidual != nullptr) dresidual[i] = static_cast<T>(dz);
  });
}

int64_t views_of(const char* op, const Tensor& x, const Tensor& statistics) {
  const Shape& s = statistics.shape();
  require(s.rank() == 3 && s[0] >= 1 && s[1] == 2 && s[2] == planes_of(x).channels() &&
              statistics.dtype() == DType::f64,
          op, ": f64 statistics [views,2,C] expected for x ", x, ", found ", statistics);
  require(x.shape()[0] % s[0] == 0, op, ": a batch of ", x.shape()[0], " does not split into ",
          s[0], " views");
  require(x.elements() > 0, op, ": x ", x, " has no values");
  return s[0];
}

// One block a 32 channels and view, for adding up the chunks.
Grid merge_grid(const ChannelRows& rows) {
  return {.blocks = dim3(rows.channel_blocks(), 1, static_cast<unsigned>(rows.views)),
          .threads = dim3(kChannelThreads, kRowThreads)};
}

Tensor chunk_table(const ChannelRows& rows, Device device) {
  return Tensor({rows.views, rows.chunks, 2, rows.channels}, DType::f64, device);
}

template <class T>
BackwardInputs<T> backward_inputs(const BatchNormInputs& in) {
  return {in.dy.data<T>(),
          in.x.data<T>(),
          in.y.defined() ? in.y.data<T>() : nullptr,
          in.statistics.data<double>(),
          in.weight.data<float>(),
          in.bias.data<float>(),
          in.options.eps,
          in.options.relu};
}

ChannelRows check_backward(const BatchNormInputs& in) {
  constexpr const char* kOp = "batch_norm backward";
  const int64_t views = views_of(kOp, in.x, in.statistics);
  require_same(kOp, in.x, in.dy);
  if (in.options.relu && in.y.defined()) require_same(kOp, in.x, in.y);
  return ChannelRows(in.x, views);
}

}  // namespace

void batch_norm_statistics(CudaContext& ctx, const Tensor& x, Tensor& statistics) {
  const ChannelRows rows(x, views_of("batch_norm statistics", x, statistics));
  Tensor parts = chunk_table(rows, ctx.device());
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, chunk_moments_kernel<T>, rows.grid(), rows, x.data<T>(), parts.data<double>());
  });
  launch(ctx, merge_moments_kernel, merge_grid(rows), rows, parts.data<double>(),
         statistics.data<double>());
}

void batch_norm_update_running(CudaContext& ctx, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var) {
  const int64_t views = statistics.shape()[0], channels = statistics.shape()[2];
  require(running_mean.shape() == Shape{channels} && running_var.shape() == Shape{channels},
          "batch_norm: running estimates [", channels, "] expected, found ", running_mean.shape(),
          " and ", running_var.shape());
  const auto count = static_cast<double>(update.count);
  launch(ctx, update_running_kernel, grid_over(ctx, channels), channels, views,
         statistics.data<double>(), update.momentum, count / (count - 1.0),
         running_mean.data<float>(), running_var.data<float>());
}

void batch_norm_apply(CudaContext& ctx, const Tensor& x, const Tensor& statistics,
                      const Tensor& weight, const Tensor& bias, const Tensor& residual,
                      BatchNormOptions options, Tensor& y) {
  const ChannelRows rows(x, views_of("batch_norm", x, statistics));
  require_same("batch_norm", x, y);
  if (residual.defined()) require_same("batch_norm residual", x, residual);
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const ApplyInputs<T> inputs{x.data<T>(),
                                residual.defined() ? residual.data<T>() : nullptr,
                                statistics.data<double>(),
                                weight.data<float>(),
                                bias.data<float>(),
                                options.eps,
                                options.relu};
    launch(ctx, apply_kernel<T>, rows.grid(), rows, inputs, y.data<T>());
  });
}

void batch_norm_backward_reduce(CudaContext& ctx, const BatchNormInputs& inputs, Tensor& sums) {
  const ChannelRows rows = check_backward(inputs);
  require_same("batch_norm backward", inputs.statistics, sums);
  Tensor parts = chunk_table(rows, ctx.device());
  for_activation(inputs.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, chunk_sums_kernel<T>, rows.grid(), rows, backward_inputs<T>(inputs),
           parts.data<double>());
  });
  launch(ctx, add_chunks_kernel, merge_grid(rows), rows, parts.data<double>(), sums.data<double>());
}

void batch_norm_parameter_gradients(CudaContext& ctx, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias) {
  const int64_t views = sums.shape()[0], channels = sums.shape()[2];
  launch(ctx, parameter_gradients_kernel, grid_over(ctx, channels), channels, views,
         sums.data<double>(), dweight.data<float>(), dbias.data<float>());
}

void batch_norm_backward_apply(CudaContext& ctx, const BatchNormInputs& inputs, const Tensor& sums,
                               int64_t count, Tensor& dx, Tensor& dresidual) {
  const ChannelRows rows = check_backward(inputs);
  require_same("batch_norm backward", inputs.x, dx);
  const double share = count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
  for_activation(inputs.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, backward_apply_kernel<T>, rows.grid(), rows, backward_inputs<T>(inputs),
           sums.data<double>(), share, dx.data<T>(),
           dresidual.defined() ? dresidual.data<T>() : nullptr);
  });
}

}  // namespace engine
