// Batch normalisation: y from x and the statistics.
#include "engine/cuda/kernels/batch_norm.cuh"

namespace engine {
namespace {

template <class T>
struct ApplyInputs {
  const T *x, *residual;  // residual may be null
  BatchNormParameters parameters;
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
      out.values[k] = static_cast<T>(in.relu && z < 0.0f ? 0.0f : z);  // a NaN stays NaN
    }
    pack_at<kWidth>(y + i) = out;
  });
}

}  // namespace

void batch_norm_apply(CudaContext& ctx, const Tensor& x, const Tensor& statistics,
                      const Tensor& weight, const Tensor& bias, const Tensor& residual,
                      BatchNormOptions options, Tensor& y) {
  check_batch_norm_apply(x, statistics, residual, y);
  const ChannelRows rows(x, statistics.shape()[0]);
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

}  // namespace engine
