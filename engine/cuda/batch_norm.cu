// Batch normalisation. Sums are taken in f64.
#include "engine/cuda/channel_rows.cuh"
#include "engine/kernels/norm.h"

namespace engine {
namespace {

// How many values a thread that adds up loads at once: of 16-bit types half of what it could. Two
// sums in f64 for each leave no registers for the threads that hide the waiting.
constexpr int kSumWidth = 4;

// table: [parts, chunks, 2, C]: mean and squared deviations around it of each chunk. One pass: sums
// of x - shift, where shift is some value of the channel, lose no digits to a large mean.
template <int kWidth, class T>
__global__ void chunk_moments_kernel(ChannelRows rows, const T* x, double* table) {
  const int64_t c = rows.channel<kWidth>();
  double sums[kWidth] = {}, squares[kWidth] = {};
  float shifts[kWidth] = {};
  if (c < rows.channels) {
    const Pack<T, kWidth> first = pack_at<kWidth>(x + rows.index(rows.first_row(), c));
    for (int k = 0; k < kWidth; ++k) shifts[k] = static_cast<float>(first.values[k]);
    const auto load = [&](int64_t i) -> Pack<T, kWidth> { return pack_at<kWidth>(x + i); };
    rows.for_each<4>(c, load, [&](int64_t, const Pack<T, kWidth>& values) {
      for (int k = 0; k < kWidth; ++k) {
        const double deviation = static_cast<float>(values.values[k]) - shifts[k];
        sums[k] += deviation;
        squares[k] += deviation * deviation;
      }
    });
  }
  const auto count = static_cast<double>(rows.end_row() - rows.first_row());
  double* out = rows.row_of(table, c);
  for (int k = 0; k < kWidth; ++k) {
    const double sum = sum_over_rows(sums[k]), square = sum_over_rows(squares[k]);
    if (threadIdx.y != 0 || c >= rows.channels) continue;
    out[k] = shifts[k] + sum / count;
    out[rows.channels + k] = square - sum * sum / count;
  }
}

// Merges the chunks' moments: the squared deviations within the chunks, and those of the chunks'
// means.
__global__ void merge_moments_kernel(ChannelRows rows, const double* table, double* statistics) {
  const int64_t c = rows.channel();
  const double* rows_of_part = table + int64_t{blockIdx.z} * rows.chunks * 2 * rows.channels + c;
  const auto sum_chunks = [&](auto term) {
    double sum = 0.0;
    for (int chunk = threadIdx.y; c < rows.channels && chunk < rows.chunks; chunk += blockDim.y) {
      const int64_t begin = chunk * rows.chunk_rows;
      const int64_t end = begin + rows.chunk_rows < rows.rows ? begin + rows.chunk_rows : rows.rows;
      const double* moments = rows_of_part + int64_t{chunk} * 2 * rows.channels;
      sum += term(static_cast<double>(end - begin), moments[0], moments[rows.channels]);
    }
    return sum_over_rows(sum);
  };
  __shared__ double means[kMostAcross];
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

__global__ void update_running_kernel(int64_t channels, int64_t parts, const double* statistics,
                                      double momentum, double unbiased, float* mean, float* var) {
  for_each_index(channels, [&](int64_t c) {
    for (int64_t part = 0; part < parts; ++part) {
      const double* row = statistics + part * 2 * channels + c;
      mean[c] = static_cast<float>((1.0 - momentum) * mean[c] + momentum * row[0]);
      var[c] = static_cast<float>((1.0 - momentum) * var[c] + momentum * unbiased * row[channels]);
    }
  });
}

// The constants of one channel and part.
struct Normalizer {
  float mean, scale, bias;

  // The batch norm of one value, before residual and relu.
  __device__ float of(float x) const { return (x - mean) * scale + bias; }
};

struct Parameters {
  const double* statistics;
  const float *weight, *bias;
  double eps;

  // Those of this thread's channels; returns 1 / deviation of each, in shared memory. The threads
  // of a block work theirs out together: one root and one quotient in f64 a thread, not kWidth.
  template <int kWidth>
  __device__ const double* normalizers(const ChannelRows& rows, Normalizer (&own)[kWidth]) const {
    __shared__ Normalizer of_block[kBlockThreads];
    __shared__ double inverse_deviations[kBlockThreads];
    const auto at = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
    const auto count = static_cast<int>(blockDim.x) * kWidth;
    const int64_t c = int64_t{blockIdx.x} * count + at;
    if (at < count && c < rows.channels) {
      const double* of_channel = statistics + rows.entry(c);
      const double inverse = 1.0 / sqrt(of_channel[rows.channels] + eps);
      inverse_deviations[at] = inverse;
      of_block[at] = {static_cast<float>(of_channel[0]), static_cast<float>(weight[c] * inverse),
                      bias[c]};
    }
    __syncthreads();
    const auto first = static_cast<int>(threadIdx.x) * kWidth;
    if (rows.channel<kWidth>() < rows.channels) {
      for (int k = 0; k < kWidth; ++k) own[k] = of_block[first + k];
    }
    return inverse_deviations + first;
  }
};

template <class T>
struct ApplyInputs {
  const T *x, *residual;  // residual may be null
  Parameters parameters;
  bool relu;

  template <int kWidth>
  struct Values {
    Pack<T, kWidth> x, residual;
  };
  template <int kWidth>
  __device__ Values<kWidth> load(int64_t i) const {
    Values<kWidth> values{pack_at<kWidth>(x + i), {}};
    if (residual != nullptr) values.residual = pack_at<kWidth>(residual + i);
    return values;
  }
};

template <int kWidth, class T>
__global__ void apply_kernel(ChannelRows rows, ApplyInputs<T> in, T* y) {
  Normalizer norms[kWidth];
  in.parameters.normalizers(rows, norms);
  const int64_t c = rows.channel<kWidth>();
  if (c >= rows.channels) return;
  const auto load = [&](int64_t i) { return in.template load<kWidth>(i); };
  rows.for_each<1>(c, load, [&](int64_t i, const auto& values) {
    Pack<T, kWidth> out;
    for (int k = 0; k < kWidth; ++k) {
      float z = norms[k].of(static_cast<float>(values.x.values[k]));
      if (in.residual != nullptr) z += static_cast<float>(values.residual.values[k]);
      out.values[k] = static_cast<T>(in.relu && z < 0.0f ? 0.0f : z);  // a NaN stays one
    }
    pack_at<kWidth>(y + i) = out;
  });
}

template <class T>
struct BackwardInputs {
  const T *dy, *x, *y;  // y may be null: the output is worked out again from x
  Parameters parameters;
  bool relu;

  template <int kWidth>
  struct Values {
    Pack<T, kWidth> dy, x, y;
  };
  template <int kWidth>
  __device__ Values<kWidth> load(int64_t i) const {
    Values<kWidth> values{pack_at<kWidth>(dy + i), pack_at<kWidth>(x + i), {}};
    if (relu && y != nullptr) values.y = pack_at<kWidth>(y + i);
    return values;
  }

  // Calls f(k, gradient behind the relu, deviation of x from the mean) for each value.
  template <int kWidth, class F>
  __device__ void for_values(const Normalizer (&norms)[kWidth], const Values<kWidth>& values,
                             F&& f) const {
    for (int k = 0; k < kWidth; ++k) {
      const auto input = static_cast<float>(values.x.values[k]);
      auto dz = static_cast<float>(values.dy.values[k]);
      if (relu) {
        const float output =
            y != nullptr ? static_cast<float>(values.y.values[k]) : norms[k].of(input);
        dz = output > 0.0f ? dz : 0.0f;
      }
      f(k, dz, input - norms[k].mean);
    }
  }
};

// table: [parts, chunks, 2, C]: each chunk's share of the sums.
template <int kWidth, class T>
__global__ void __launch_bounds__(kBlockThreads, 3)
    chunk_sums_kernel(ChannelRows rows, BackwardInputs<T> in, double* table) {
  Normalizer norms[kWidth];
  const double* inverse_deviations = in.parameters.normalizers(rows, norms);
  const int64_t c = rows.channel<kWidth>();
  double sums[kWidth] = {}, products[kWidth] = {};
  if (c < rows.channels) {
    const auto load = [&](int64_t i) { return in.template load<kWidth>(i); };
    rows.for_each<2>(c, load, [&](int64_t, const auto& values) {
      in.for_values(norms, values, [&](int k, float dz, float deviation) {
        sums[k] += dz;
        products[k] += static_cast<double>(dz) * static_cast<double>(deviation);
      });
    });
  }
  double* out = rows.row_of(table, c);
  for (int k = 0; k < kWidth; ++k) {
    const double sum = sum_over_rows(sums[k]), product = sum_over_rows(products[k]);
    if (threadIdx.y != 0 || c >= rows.channels) continue;
    out[k] = sum;
    out[rows.channels + k] = product * inverse_deviations[k];
  }
}

__global__ void add_chunks_kernel(ChannelRows rows, const double* table, double* sums) {
  const int64_t c = rows.channel();
  const double* rows_of_part = table + int64_t{blockIdx.z} * rows.chunks * 2 * rows.channels + c;
  for (int which = 0; which < 2; ++which) {
    double sum = 0.0;
    for (int chunk = threadIdx.y; c < rows.channels && chunk < rows.chunks; chunk += blockDim.y) {
      sum += rows_of_part[(int64_t{chunk} * 2 + which) * rows.channels];
    }
    sum = sum_over_rows(sum);
    if (threadIdx.y == 0 && c < rows.channels) sums[rows.entry(c) + which * rows.channels] = sum;
  }
}

__global__ void parameter_gradients_kernel(int64_t channels, int64_t parts, const double* sums,
                                           float* dweight, float* dbias) {
  for_each_index(channels, [&](int64_t c) {
    double weight_sum = 0.0, bias_sum = 0.0;
    for (int64_t part = 0; part < parts; ++part) {
      bias_sum += sums[2 * part * channels + c];
      weight_sum += sums[(2 * part + 1) * channels + c];
    }
    dweight[c] = static_cast<float>(weight_sum);
    dbias[c] = static_cast<float>(bias_sum);
  });
}

// share: 1 / count, or 0. dresidual may be null.
template <int kWidth, class T>
__global__ void backward_apply_kernel(ChannelRows rows, BackwardInputs<T> in, const double* sums,
                                      double share, T* dx, T* dresidual) {
  Normalizer norms[kWidth];
  const double* inverse_deviations = in.parameters.normalizers(rows, norms);
  const int64_t c = rows.channel<kWidth>();
  if (c >= rows.channels) return;
  const double* sum = sums + rows.entry(c);
  float offsets[kWidth], slopes[kWidth];
  for (int k = 0; k < kWidth; ++k) {
    offsets[k] = static_cast<float>(share * sum[k]);
    slopes[k] = static_cast<float>(share * sum[rows.channels + k] * inverse_deviations[k]);
  }
  const auto load = [&](int64_t i) { return in.template load<kWidth>(i); };
  rows.for_each<2>(c, load, [&](int64_t i, const auto& values) {
    Pack<T, kWidth> into_x, into_residual;
    in.for_values(norms, values, [&](int k, float dz, float deviation) {
      into_x.values[k] = static_cast<T>(norms[k].scale * (dz - offsets[k] - deviation * slopes[k]));
      into_residual.values[k] = static_cast<T>(dz);
    });
    pack_at<kWidth>(dx + i) = into_x;
    if (dresidual != nullptr) pack_at<kWidth>(dresidual + i) = into_residual;
  });
}

int64_t parts_of(const char* op, const Tensor& x, const Tensor& statistics) {
  const Shape& s = statistics.shape();
  require(s.axes() == 3 && s[0] >= 1 && s[1] == 2 && s[2] == planes_of(x).channels() &&
              statistics.dtype() == DType::f64,
          op, ": f64 statistics [parts,2,C] expected for x ", x, ", found ", statistics);
  require(x.shape()[0] % s[0] == 0, op, ": a batch of ", x.shape()[0], " does not split into ",
          s[0], " parts");
  require(x.elements() > 0, op, ": x ", x, " has no values");
  return s[0];
}

Tensor chunk_table(const ChannelRows& rows, Device device) {
  return Tensor({rows.parts, rows.chunks, 2, rows.channels}, DType::f64, device);
}

template <class T>
BackwardInputs<T> backward_inputs(const BatchNormInputs& in) {
  return {in.dy.data<T>(),
          in.x.data<T>(),
          in.y.defined() ? in.y.data<T>() : nullptr,
          {in.statistics.data<double>(), in.weight.data<float>(), in.bias.data<float>(),
           in.options.eps},
          in.options.relu};
}

ChannelRows check_backward(const BatchNormInputs& in) {
  constexpr const char* kOp = "batch_norm backward";
  const int64_t parts = parts_of(kOp, in.x, in.statistics);
  require_same(kOp, in.x, in.dy);
  if (in.options.relu && in.y.defined()) require_same(kOp, in.x, in.y);
  return ChannelRows(in.x, parts);
}

template <class T>
void backward_sums(CudaContext& ctx, const ChannelRows& rows, const BackwardInputs<T>& in,
                   Tensor& sums) {
  Tensor table = chunk_table(rows, ctx.device());
  for_width<T, kSumWidth>(rows.run(), {in.dy, in.x, in.y}, [&](auto width) {
    launch(ctx, chunk_sums_kernel<width, T>, rows.grid(width), rows, in, table.data<double>());
  });
  launch(ctx, add_chunks_kernel, rows.merge_grid(), rows, table.data<double>(),
         sums.data<double>());
}

template <class T>
void backward_apply(CudaContext& ctx, const ChannelRows& rows, const BackwardInputs<T>& in,
                    const Tensor& sums, double share, Tensor& dx, Tensor& dresidual) {
  T* into_x = dx.data<T>();
  T* into_residual = dresidual.defined() ? dresidual.data<T>() : nullptr;
  for_width<T>(rows.run(), {in.dy, in.x, in.y, into_x, into_residual}, [&](auto width) {
    launch(ctx, backward_apply_kernel<width, T>, rows.grid(width), rows, in, sums.data<double>(),
           share, into_x, into_residual);
  });
}

}  // namespace

void batch_norm_statistics(CudaContext& ctx, const Tensor& x, Tensor& statistics) {
  const ChannelRows rows(x, parts_of("batch_norm statistics", x, statistics));
  Tensor table = chunk_table(rows, ctx.device());
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    for_width<T, kSumWidth>(rows.run(), {x.data<T>()}, [&](auto width) {
      launch(ctx, chunk_moments_kernel<width, T>, rows.grid(width), rows, x.data<T>(),
             table.data<double>());
    });
  });
  launch(ctx, merge_moments_kernel, rows.merge_grid(), rows, table.data<double>(),
         statistics.data<double>());
}

void batch_norm_update_running(CudaContext& ctx, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var) {
  const int64_t parts = statistics.shape()[0], channels = statistics.shape()[2];
  require(running_mean.shape() == Shape{channels} && running_var.shape() == Shape{channels},
          "batch_norm: running estimates [", channels, "] expected, found ", running_mean.shape(),
          " and ", running_var.shape());
  const auto count = static_cast<double>(update.count);
  launch(ctx, update_running_kernel, grid_over(ctx, channels), channels, parts,
         statistics.data<double>(), update.momentum, count / (count - 1.0),
         running_mean.data<float>(), running_var.data<float>());
}

void batch_norm_apply(CudaContext& ctx, const Tensor& x, const Tensor& statistics,
                      const Tensor& weight, const Tensor& bias, const Tensor& residual,
                      BatchNormOptions options, Tensor& y) {
  const ChannelRows rows(x, parts_of("batch_norm", x, statistics));
  require_same("batch_norm", x, y);
  if (residual.defined()) require_same("batch_norm residual", x, residual);
  for_activation(x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const ApplyInputs<T> in{
        x.data<T>(),
        residual.defined() ? residual.data<T>() : nullptr,
        {statistics.data<double>(), weight.data<float>(), bias.data<float>(), options.eps},
        options.relu};
    T* out = y.data<T>();
    for_width<T>(rows.run(), {in.x, in.residual, out}, [&](auto width) {
      launch(ctx, apply_kernel<width, T>, rows.grid(width), rows, in, out);
    });
  });
}

void batch_norm_forward(CudaContext& ctx, const Tensor& x, const Tensor& weight, const Tensor& bias,
                        const Tensor& residual, BatchNormOptions options, Tensor& statistics,
                        Tensor& y) {
  batch_norm_statistics(ctx, x, statistics);
  batch_norm_apply(ctx, x, statistics, weight, bias, residual, options, y);
}

void batch_norm_backward(CudaContext& ctx, const BatchNormInputs& inputs, int64_t count,
                         Tensor& sums, Tensor& dx, Tensor& dresidual) {
  const ChannelRows rows = check_backward(inputs);
  require_same("batch_norm backward", inputs.statistics, sums);
  require_same("batch_norm backward", inputs.x, dx);
  const double share = count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
  for_activation(inputs.x.dtype(), [&](auto zero) {
    const auto in = backward_inputs<decltype(zero)>(inputs);
    backward_sums(ctx, rows, in, sums);
    backward_apply(ctx, rows, in, sums, share, dx, dresidual);
  });
}

void batch_norm_parameter_gradients(CudaContext& ctx, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias) {
  const int64_t parts = sums.shape()[0], channels = sums.shape()[2];
  launch(ctx, parameter_gradients_kernel, grid_over(ctx, channels), channels, parts,
         sums.data<double>(), dweight.data<float>(), dbias.data<float>());
}

}  // namespace engine
