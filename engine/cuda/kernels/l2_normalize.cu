#include "engine/cuda/kernel.cuh"
#include "engine/kernels/norm.h"

namespace engine {
namespace {

constexpr double kLeastNorm = 1e-12;
// A block takes 32 pixels, which are adjacent in memory if the layout is plain, and shares the
// channels of each pixel among 8 threads.
constexpr int kPixelThreads = 32, kParts = 8;

struct Pixels {
  Planes planes;
  int64_t channels;

  explicit Pixels(const Tensor& x) : planes(planes_of(x)), channels(planes.channels()) {}

  Grid grid() const {
    const int64_t blocks = ceil_div(planes.n * planes.pixels, kPixelThreads);
    return {.blocks = dim3(static_cast<unsigned>(blocks > 0 ? blocks : 1)),
            .threads = dim3(kPixelThreads, kParts)};
  }

  // This thread's pixel, counted over all images; it may be past the last one.
  __device__ int64_t pixel() const { return int64_t{blockIdx.x} * kPixelThreads + threadIdx.x; }
  __device__ bool inside() const { return pixel() < planes.n * planes.pixels; }

  // Calls f(element) for this thread's share of the pixel's channels.
  template <class F>
  __device__ void for_each_channel(F&& f) const {
    if (!inside()) return;
    const int64_t image = pixel() / planes.pixels, p = pixel() % planes.pixels;
    for (int64_t c = threadIdx.y; c < channels; c += kParts) {
      const int64_t plane = image * planes.blocks + c / planes.lanes;
      f((plane * planes.pixels + p) * planes.lanes + c % planes.lanes);
    }
  }
};

// The sum over the threads of one pixel, returned to each of them.
__device__ double sum_over_parts(double value) {
  __shared__ double partial[kParts][kPixelThreads];
  partial[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  double sum = 0.0;
  for (int part = 0; part < kParts; ++part) sum += partial[part][threadIdx.x];
  return sum;
}

__global__ void forward_kernel(Pixels pixels, const float* x, float* y, float* norms) {
  double squares = 0.0;
  pixels.for_each_channel([&](int64_t i) {
    const double value = x[i];
    squares += value * value;
  });
  const double norm = sqrt(sum_over_parts(squares));
  const bool clamped = norm < kLeastNorm;
  if (threadIdx.y == 0 && pixels.inside()) {
    norms[pixels.pixel()] = static_cast<float>(clamped ? -kLeastNorm : norm);
  }
  const auto inverse = static_cast<float>(1.0 / (clamped ? kLeastNorm : norm));
  pixels.for_each_channel([&](int64_t i) { y[i] = x[i] * inverse; });
}

__global__ void backward_kernel(Pixels pixels, const float* dy, const float* y, const float* norms,
                                float* dx) {
  double dot = 0.0;
  pixels.for_each_channel([&](int64_t i) { dot += static_cast<double>(dy[i]) * y[i]; });
  dot = sum_over_parts(dot);
  if (!pixels.inside()) return;
  const float norm = norms[pixels.pixel()];
  const float inverse = 1.0f / fabsf(norm), along = norm < 0.0f ? 0.0f : static_cast<float>(dot);
  pixels.for_each_channel([&](int64_t i) { dx[i] = (dy[i] - y[i] * along) * inverse; });
}

}  // namespace

void l2_normalize_forward(CudaContext& ctx, const Tensor& x, Tensor& y, Tensor& norms) {
  check_l2_normalize(x, y, norms);
  const Pixels pixels(x);
  launch(ctx, forward_kernel, pixels.grid(), pixels, x.data<float>(), y.data<float>(),
         norms.data<float>());
}

void l2_normalize_backward(CudaContext& ctx, const Tensor& dy, const Tensor& y, const Tensor& norms,
                           Tensor& dx) {
  check_l2_normalize_backward(dy, y, norms, dx);
  const Pixels pixels(y);
  launch(ctx, backward_kernel, pixels.grid(), pixels, dy.data<float>(), y.data<float>(),
         norms.data<float>(), dx.data<float>());
}

}  // namespace engine
