// Batch normalisation: mean and variance of a batch, and the running estimates.
#include "engine/cuda/kernels/batch_norm.cuh"

namespace engine {
namespace {

// table: [parts, chunks, 2, C]: mean of each chunk and squared deviations from it. One pass
// is enough: sums of x - shift, with a value of the channel as shift, lose no digits to a large
// mean.
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

// Merges the chunks' moments: squared deviations within the chunks, and those of the chunks' means
// from the common mean.
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

// messages: [ranks, values + 1], where `values` is the size of the statistics.
__global__ void merge_ranks_kernel(int64_t channels, int64_t parts, int64_t ranks,
                                   const double* messages, double* statistics, double* count) {
  const int64_t values = parts * 2 * channels;
  for_each_index(parts * channels, [&](int64_t i) {
    const int64_t place = i / channels * 2 * channels + i % channels;
    double total = 0.0, mean = 0.0, m2 = 0.0;
    for (int64_t rank = 0; rank < ranks; ++rank) {
      const double* message = messages + rank * (values + 1);
      const double added = message[values], share = added / (total + added);
      const double difference = message[place] - mean;
      mean += difference * share;
      m2 += message[place + channels] * added + difference * difference * total * share;
      total += added;
    }
    statistics[place] = mean;
    statistics[place + channels] = m2 / total;
    if (i == 0) *count = total;
  });
}

__global__ void update_running_kernel(int64_t channels, int64_t parts, const double* statistics,
                                      double momentum, Count count, float* mean, float* var) {
  const double values = count.value(), unbiased = values / (values - 1.0);
  for_each_index(channels, [&](int64_t c) {
    for (int64_t part = 0; part < parts; ++part) {
      const double* row = statistics + part * 2 * channels + c;
      mean[c] = static_cast<float>((1.0 - momentum) * mean[c] + momentum * row[0]);
      var[c] = static_cast<float>((1.0 - momentum) * var[c] + momentum * unbiased * row[channels]);
    }
  });
}

}  // namespace

void batch_norm_statistics(CudaContext& ctx, const Tensor& x, Tensor& statistics) {
  check_batch_norm_statistics("batch_norm statistics", x, statistics);
  const ChannelRows rows(x, statistics.shape()[0]);
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

void batch_norm_merge(CudaContext& ctx, const Tensor& messages, Tensor& statistics, Tensor& count) {
  check_batch_norm_merge(messages, statistics, count);
  const int64_t parts = statistics.shape()[0], channels = statistics.shape()[2];
  launch(ctx, merge_ranks_kernel, grid_over(ctx, parts * channels), channels, parts,
         messages.shape()[0], messages.data<double>(), statistics.data<double>(),
         count.data<double>());
}

void batch_norm_update_running(CudaContext& ctx, const Tensor& statistics, RunningUpdate update,
                               Tensor& running_mean, Tensor& running_var) {
  check_batch_norm_update_running(statistics, running_mean, running_var);
  const int64_t parts = statistics.shape()[0], channels = statistics.shape()[2];
  launch(ctx, update_running_kernel, grid_over(ctx, channels), channels, parts,
         statistics.data<double>(), update.momentum, Count(update.count),
         running_mean.data<float>(), running_var.data<float>());
}

}  // namespace engine
