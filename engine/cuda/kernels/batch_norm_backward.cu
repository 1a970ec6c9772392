// Batch normalisation: gradients. First the sums over the batch, then dx and dresidual from them.
#include "engine/cuda/kernels/batch_norm.cuh"

namespace engine {
namespace {

template <class T>
struct BackwardInputs {
  const T *dy, *x, *y;  // y may be null: then it is computed again from x
  BatchNormParameters parameters;
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

  // Calls f(k, gradient of the relu's input, deviation of x from the mean) for each value.
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

// table: [parts, chunks, 2, C]: each chunk's sums.
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

// dresidual may be null.
template <int kWidth, class T>
__global__ void backward_apply_kernel(ChannelRows rows, BackwardInputs<T> in, const double* sums,
                                      Count count, T* dx, T* dresidual) {
  Normalizer norms[kWidth];
  const double* inverse_deviations = in.parameters.normalizers(rows, norms);
  const int64_t c = rows.channel<kWidth>();
  if (c >= rows.channels) return;
  const double* sum = sums + rows.entry(c);
  const double share = count.inverse();
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

template <class T>
BackwardInputs<T> backward_inputs(const BatchNormInputs& in) {
  return {in.dy.data<T>(),
          in.x.data<T>(),
          in.y.defined() ? in.y.data<T>() : nullptr,
          {in.statistics.data<double>(), in.weight.data<float>(), in.bias.data<float>(),
           in.options.eps},
          in.options.relu};
}

}  // namespace

void batch_norm_backward_sums(CudaContext& ctx, const BatchNormInputs& inputs, Tensor& sums) {
  check_batch_norm_backward_sums(inputs, sums);
  const ChannelRows rows(inputs.x, inputs.statistics.shape()[0]);
  Tensor table = chunk_table(rows, ctx.device());
  for_activation(inputs.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const BackwardInputs<T> in = backward_inputs<T>(inputs);
    for_width<T, kSumWidth>(rows.run(), {in.dy, in.x, in.y}, [&](auto width) {
      launch(ctx, chunk_sums_kernel<width, T>, rows.grid(width), rows, in, table.data<double>());
    });
  });
  launch(ctx, add_chunks_kernel, rows.merge_grid(), rows, table.data<double>(),
         sums.data<double>());
}

void batch_norm_backward_apply(CudaContext& ctx, const BatchNormInputs& inputs,
                               const BatchNormCount& count, const Tensor& sums, Tensor& dx,
                               Tensor& dresidual) {
  check_batch_norm_backward(inputs, sums, dx, dresidual);
  const ChannelRows rows(inputs.x, inputs.statistics.shape()[0]);
  for_activation(inputs.x.dtype(), [&](auto zero) {
    using T = decltype(zero);
    const BackwardInputs<T> in = backward_inputs<T>(inputs);
    T* into_x = dx.data<T>();
    T* into_residual = dresidual.defined() ? dresidual.data<T>() : nullptr;
    for_width<T>(rows.run(), {in.dy, in.x, in.y, into_x, into_residual}, [&](auto width) {
      launch(ctx, backward_apply_kernel<width, T>, rows.grid(width), rows, in, sums.data<double>(),
             Count(count), into_x, into_residual);
    });
  });
}

void batch_norm_backward(CudaContext& ctx, const BatchNormInputs& inputs,
                         const BatchNormCount& count, Tensor& sums, Tensor& dx, Tensor& dresidual) {
  check_batch_norm_backward(inputs, sums, dx, dresidual);
  batch_norm_backward_sums(ctx, inputs, sums);
  batch_norm_backward_apply(ctx, inputs, count, sums, dx, dresidual);
}

void batch_norm_parameter_gradients(CudaContext& ctx, const Tensor& sums, Tensor& dweight,
                                    Tensor& dbias) {
  const int64_t parts = sums.shape()[0], channels = sums.shape()[2];
  launch(ctx, parameter_gradients_kernel, grid_over(ctx, channels), channels, parts,
         sums.data<double>(), dweight.data<float>(), dbias.data<float>());
}

}  // namespace engine
