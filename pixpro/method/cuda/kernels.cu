// The method's kernels on CUDA. Compiled without fused multiply-add, see bins.h.
#include "engine/cuda/kernel.cuh"
#include "pixpro/method/kernels.h"

namespace pixpro {
namespace {

using engine::block_sum;
using engine::for_each_index;
using engine::Grid;
using engine::kBlockThreads;
using engine::launch;

// The pairs of all images.
struct DevicePairs {
  const double *boxes_q, *boxes_k;  // [M,4]
  PixelGrid grid;
  double pos_ratio;

  __device__ int64_t pixels() const { return grid.pixels(); }
};

// The pairs of the image that a block works on.
struct ImagePairs {
  Bins q, k;
  double pos_ratio;

  __device__ ImagePairs(const DevicePairs& p, int64_t image)
      : q(p.boxes_q + 4 * image, p.grid),
        k(p.boxes_k + 4 * image, p.grid),
        pos_ratio(p.pos_ratio) {}

  // Is pixel i of the query view a positive of pixel j of the key view?
  __device__ bool is_positive(int64_t i, int64_t j) const {
    return pixpro::is_positive(q[i], k[j], pos_ratio);
  }
};

// Fills one image's row, with the PixPro loss's term, by all threads of a block. Thread 0 writes
// the row, and no other thread may use it afterwards.
__device__ void sum_pairs(const ImagePairs& pairs, int64_t pixels, const float* similarity,
                          double* row) {
  double positives = 0.0, positive_sum = 0.0, other_sum = 0.0;
  for (int64_t pair = threadIdx.x; pair < pixels * pixels; pair += kBlockThreads) {
    const bool positive = pairs.is_positive(pair / pixels, pair % pixels);
    positives += positive ? 1.0 : 0.0;
    (positive ? positive_sum : other_sum) += similarity[pair];
  }
  positives = block_sum(positives);
  positive_sum = block_sum(positive_sum);
  other_sum = block_sum(other_sum);
  if (threadIdx.x != 0) return;
  row[kPositives] = positives;
  row[kPositiveSum] = positive_sum;
  row[kOtherSum] = other_sum;
  row[kTerm] = positive_sum / (positives + 1e-6);
}

__global__ void pixpro_rows_kernel(DevicePairs pairs, const float* similarity, double* images) {
  const int64_t m = blockIdx.x, pixels = pairs.pixels();
  sum_pairs(ImagePairs(pairs, m), pixels, similarity + m * pixels * pixels, images + m * kColumns);
}

// loss = mean of the images' terms. One block.
__global__ void mean_term_kernel(int64_t count, const double* images, float* loss) {
  double sum = 0.0;
  for (int64_t m = threadIdx.x; m < count; m += kBlockThreads) sum += images[m * kColumns + kTerm];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *loss = static_cast<float>(sum / static_cast<double>(count));
}

__global__ void pixpro_backward_kernel(DevicePairs pairs, int64_t count, const float* dloss,
                                       const double* images, float* dsimilarity) {
  const int64_t m = blockIdx.x, pixels = pairs.pixels();
  const ImagePairs image(pairs, m);
  const double dterm = *dloss / static_cast<double>(count);
  const auto value = static_cast<float>(dterm / (images[m * kColumns + kPositives] + 1e-6));
  for (int64_t pair = threadIdx.x; pair < pixels * pixels; pair += kBlockThreads) {
    dsimilarity[m * pixels * pixels + pair] =
        image.is_positive(pair / pixels, pair % pixels) ? value : 0.0f;
  }
}

// Sums of exp(similarity_ij / tau) over one query pixel's row, relative to the largest of them;
// `positive` is 0 if the row has no positive.
struct RowSums {
  double largest = 0.0, all = 0.0, positive = 0.0;

  __device__ RowSums(const ImagePairs& pairs, int64_t i, int64_t pixels, const float* row,
                     double tau) {
    float most = row[0];
    for (int64_t j = 1; j < pixels; ++j) most = row[j] > most ? row[j] : most;
    largest = most / tau;
    for (int64_t j = 0; j < pixels; ++j) {
      const double e = exp(row[j] / tau - largest);
      all += e;
      if (pairs.is_positive(i, j)) positive += e;
    }
  }
};

// One block per image, one thread per query pixel.
__global__ void contrast_rows_kernel(DevicePairs pairs, const float* similarity, double tau,
                                     double* images) {
  const int64_t m = blockIdx.x, pixels = pairs.pixels();
  const ImagePairs image(pairs, m);
  const float* plane = similarity + m * pixels * pixels;
  sum_pairs(image, pixels, plane, images + m * kColumns);
  double sum = 0.0, used = 0.0;
  for (int64_t i = threadIdx.x; i < pixels; i += kBlockThreads) {
    const RowSums sums(image, i, pixels, plane + i * pixels, tau);
    if (sums.positive == 0.0) continue;
    sum += log(sums.all) - log(sums.positive);
    used += 1.0;
  }
  sum = block_sum(sum);
  used = block_sum(used);
  if (threadIdx.x == 0) images[m * kColumns + kTerm] = sum / (used > 1.0 ? used : 1.0);
}

__global__ void contrast_backward_kernel(DevicePairs pairs, int64_t count, const float* dloss,
                                         const float* similarity, double tau, float* dsimilarity) {
  const int64_t m = blockIdx.x, pixels = pairs.pixels();
  const ImagePairs image(pairs, m);
  double used = 0.0;  // query pixels that have a positive
  for (int64_t i = threadIdx.x; i < pixels; i += kBlockThreads) {
    bool any = false;
    for (int64_t j = 0; j < pixels && !any; ++j) any = image.is_positive(i, j);
    used += any ? 1.0 : 0.0;
  }
  used = block_sum(used);
  const double factor = *dloss / static_cast<double>(count) / tau / (used > 1.0 ? used : 1.0);
  for (int64_t i = threadIdx.x; i < pixels; i += kBlockThreads) {
    const int64_t begin = (m * pixels + i) * pixels;
    const float* row = similarity + begin;
    const RowSums sums(image, i, pixels, row, tau);
    for (int64_t j = 0; j < pixels; ++j) {
      const double e = exp(row[j] / tau - sums.largest);
      const double share = e / sums.all - (image.is_positive(i, j) ? e / sums.positive : 0.0);
      dsimilarity[begin + j] = static_cast<float>(sums.positive > 0.0 ? factor * share : 0.0);
    }
  }
}

// One block.
__global__ void mean_dot_kernel(int64_t elements, int64_t rows, const float* a, const float* b,
                                float* loss) {
  double sum = 0.0;
  for (int64_t i = threadIdx.x; i < elements; i += kBlockThreads) {
    sum += static_cast<double>(a[i]) * b[i];
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) *loss = static_cast<float>(sum / static_cast<double>(rows));
}

__global__ void mean_dot_backward_kernel(int64_t elements, int64_t rows, const float* dloss,
                                         const float* b, float* da) {
  const double factor = *dloss / static_cast<double>(rows);
  for_each_index(elements, [&](int64_t i) { da[i] = static_cast<float>(factor * b[i]); });
}

DevicePairs device_pairs(const char* op, const Tensor& similarity, const PixelPairs& pairs) {
  check_pairs(op, similarity, pairs);
  return {pairs.boxes_q.data<double>(), pairs.boxes_k.data<double>(), pairs.grid, pairs.pos_ratio};
}

// One block per image.
Grid image_grid(const Tensor& similarity) {
  return {.blocks = dim3(static_cast<unsigned>(similarity.shape()[0])),
          .threads = dim3(kBlockThreads)};
}

const Grid kOneBlock{.blocks = dim3(1), .threads = dim3(kBlockThreads)};

void mean_term(CudaContext& ctx, const Tensor& images, Tensor& loss) {
  launch(ctx, mean_term_kernel, kOneBlock, images.shape()[0], images.data<double>(),
         loss.data<float>());
}

}  // namespace

void pixpro_loss_forward(CudaContext& ctx, const Tensor& similarity, const PixelPairs& pairs,
                         Tensor& images, Tensor& loss) {
  const DevicePairs on_device = device_pairs("pixpro_loss", similarity, pairs);
  launch(ctx, pixpro_rows_kernel, image_grid(similarity), on_device, similarity.data<float>(),
         images.data<double>());
  mean_term(ctx, images, loss);
}

void pixpro_loss_backward(CudaContext& ctx, const Tensor& dloss, const Tensor& images,
                          const PixelPairs& pairs, Tensor& dsimilarity) {
  const DevicePairs on_device = device_pairs("pixpro_loss backward", dsimilarity, pairs);
  launch(ctx, pixpro_backward_kernel, image_grid(dsimilarity), on_device, images.shape()[0],
         dloss.data<float>(), images.data<double>(), dsimilarity.data<float>());
}

void pixcontrast_loss_forward(CudaContext& ctx, const Tensor& similarity, const PixelPairs& pairs,
                              double tau, Tensor& images, Tensor& loss) {
  const DevicePairs on_device = device_pairs("pixcontrast_loss", similarity, pairs);
  launch(ctx, contrast_rows_kernel, image_grid(similarity), on_device, similarity.data<float>(),
         tau, images.data<double>());
  mean_term(ctx, images, loss);
}

void pixcontrast_loss_backward(CudaContext& ctx, const Tensor& dloss, const Tensor& similarity,
                               const PixelPairs& pairs, double tau, Tensor& dsimilarity) {
  const DevicePairs on_device = device_pairs("pixcontrast_loss backward", similarity, pairs);
  launch(ctx, contrast_backward_kernel, image_grid(similarity), on_device, similarity.shape()[0],
         dloss.data<float>(), similarity.data<float>(), tau, dsimilarity.data<float>());
}

void mean_dot_forward(CudaContext& ctx, const Tensor& a, const Tensor& b, Tensor& loss) {
  engine::require_same("mean_dot", a, b);
  launch(ctx, mean_dot_kernel, kOneBlock, a.elements(), a.shape()[0], a.data<float>(),
         b.data<float>(), loss.data<float>());
}

void mean_dot_backward(CudaContext& ctx, const Tensor& dloss, const Tensor& b, Tensor& da) {
  engine::require_same("mean_dot backward", b, da);
  launch(ctx, mean_dot_backward_kernel, grid_over(ctx, b.elements()), b.elements(), b.shape()[0],
         dloss.data<float>(), b.data<float>(), da.data<float>());
}

}  // namespace pixpro
