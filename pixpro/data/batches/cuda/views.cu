// Raw views (raw_view.h) become the network's input in three launches per batch. This file is
// compiled without fused multiply-add, which makes its bytes equal to the CPU's.
#include "engine/arithmetic.h"
#include "engine/cuda/kernel.cuh"
#include "pixpro/data/augment/blur.h"
#include "pixpro/data/augment/normalize.h"
#include "pixpro/data/augment/resize_weights.h"
#include "pixpro/data/batches/device_views.h"
#include "pixpro/data/batches/raw_view.h"

namespace pixpro {
namespace {

using engine::Grid;
using engine::kBlockThreads;
using engine::launch;

// Threads of the block that applies all steps of a view. Each can have 128 registers.
constexpr int kStepThreads = 512;

// The raw view that this block works on. Blocks with the same blockIdx.x share one.
struct DeviceRaw {
  const uint8_t* row;
  int size;

  __device__ DeviceRaw(const uint8_t* raw, int view_size)
      : row(raw + blockIdx.x * raw_view_bytes(view_size)), size(view_size) {}

  __device__ const RawView& view() const { return *reinterpret_cast<const RawView*>(row); }
  __device__ const Taps& column(int x) const { return taps()[x]; }
  __device__ const Taps& line(int y) const { return taps()[size + y]; }
  __device__ const uint8_t* pixels() const { return row + raw_pixels_offset(size); }

 private:
  __device__ const Taps* taps() const {
    return reinterpret_cast<const Taps*>(row + sizeof(RawView));
  }
};

// The three planes of the view that this block works on.
template <class T>
__device__ T* planes_of_block(T* planes, int size) {
  return planes + int64_t{3} * size * size * blockIdx.x;
}

// Calls f(i) for this thread's share of 0 .. count-1 among all threads of the view's blocks.
template <class F>
__device__ void for_each_in_view(int count, F&& f) {
  const auto step = static_cast<int>(gridDim.y * blockDim.x);
  for (auto i = static_cast<int>(blockIdx.y * blockDim.x + threadIdx.x); i < count; i += step) f(i);
}

// Weighted sums of pixels, see ResizeWeights.
struct Sums {
  int r = kResizeHalf, g = kResizeHalf, b = kResizeHalf;

  __device__ void add(Rgb c, int weight) {
    r += c.r * weight;
    g += c.g * weight;
    b += c.b * weight;
  }
  // At most 255: rounding kMaxTaps weights changes their sum by far less than half a level.
  __device__ Rgb rounded() const { return {r >> kResizeBits, g >> kResizeBits, b >> kResizeBits}; }
};

// planes: [M,3,size,size]. Each pixel of the view sums its rows of the crop anew, so that no
// intermediate image is kept.
__global__ void resize_kernel(int size, const uint8_t* raw, uint8_t* planes) {
  const DeviceRaw in(raw, size);
  const RawView& view = in.view();
  const int stride = 3 * view.width, count = size * size;
  uint8_t* out = planes_of_block(planes, size);
  for_each_in_view(count, [&](int p) {
    const Taps &column = in.column(p % size), &line = in.line(p / size);
    Sums down;
    for (int i = 0; i < view.row_taps; ++i) {
      const uint8_t* pixel = in.pixels() + (line.first + i) * stride + 3 * column.first;
      Sums across;
      for (int j = 0; j < view.column_taps; ++j, pixel += 3) {
        across.add({pixel[0], pixel[1], pixel[2]}, column.weights[j]);
      }
      down.add(across.rounded(), line.weights[i]);
    }
    const Rgb c = down.rounded();
    out[p] = static_cast<uint8_t>(c.r);
    out[count + p] = static_cast<uint8_t>(c.g);
    out[2 * count + p] = static_cast<uint8_t>(c.b);
  });
}

// The mean luma of an image. Needs no barrier before it: every thread reads here only pixels that
// it has written itself.
__device__ int mean_luma(const uint8_t* image, int count) {
  int64_t sum = 0;
  for_each_in_view(count, [&](int p) {
    sum += luma({image[p], image[count + p], image[2 * count + p]});
  });
  const double all = engine::block_sum<kStepThreads>(static_cast<double>(sum));
  return static_cast<int>(all / count + 0.5);
}

__device__ Rgb changed(Rgb c, const RawStep& step, int mean) {
  switch (step.op) {
    case Op::brightness:
      return blend(0, c, step.factor);
    case Op::contrast:
      return blend(mean, c, step.factor);
    case Op::saturation:
      return blend(luma(c), c, step.factor);
    case Op::hue:
      return turn_hue(c, step.whole);
    case Op::grayscale: {
      const int gray = luma(c);
      return {gray, gray, gray};
    }
    default:
      return {solarized(c.r, step.whole), solarized(c.g, step.whole), solarized(c.b, step.whole)};
  }
}

// Applies steps begin .. end-1, of which only the first may be contrast and none a blur.
__device__ void change_colors(const RawView& view, int begin, int end, int count, uint8_t* image) {
  const int mean = view.steps[begin].op == Op::contrast ? mean_luma(image, count) : 0;
  for_each_in_view(count, [&](int p) {
    Rgb c{image[p], image[count + p], image[2 * count + p]};
    for (int step = begin; step < end; ++step) c = changed(c, view.steps[step], mean);
    image[p] = static_cast<uint8_t>(c.r);
    image[count + p] = static_cast<uint8_t>(c.g);
    image[2 * count + p] = static_cast<uint8_t>(c.b);
  });
}

// One box filter along rows (stride 1) or columns (stride `size`) of three planes.
__device__ void box_filter(const ExtendedBox& box, int size, int stride, const uint8_t* in,
                           uint8_t* out) {
  for_each_in_view(3 * size * size, [&](int i) {
    const int at = i / stride % size;
    const uint8_t* line = in + (i - at * stride);
    const auto value = [&](int offset) -> uint32_t {
      return line[min(max(at + offset, 0), size - 1) * stride];
    };
    uint32_t sum = 0;
    for (int offset = -box.radius; offset <= box.radius; ++offset) sum += value(offset);
    out[i] = box.weighted(sum, value(-box.radius - 1) + value(box.radius + 1));
  });
}

// The number of passes is even, so the result ends up in `image`.
__device__ void blur(const ExtendedBox& box, int size, uint8_t* image, uint8_t* scratch) {
  for (int pass = 0; pass < 2 * kBlurPasses; ++pass) {
    __syncthreads();
    const bool back = pass % 2 != 0;
    box_filter(box, size, pass < kBlurPasses ? 1 : size, back ? scratch : image,
               back ? image : scratch);
  }
  __syncthreads();
}

// The end of the run of steps from `begin` on that each pixel can go through by itself.
__device__ int end_of_colors(const RawView& view, int begin) {
  int end = begin + 1;
  while (end < view.step_count && view.steps[end].op != Op::contrast &&
         view.steps[end].op != Op::gaussian_blur) {
    ++end;
  }
  return end;
}

// One block per view. scratch: as large as planes.
__global__ void steps_kernel(int size, const uint8_t* raw, uint8_t* planes, uint8_t* scratch) {
  const RawView& view = DeviceRaw(raw, size).view();
  uint8_t* image = planes_of_block(planes, size);
  for (int step = 0; step < view.step_count;) {
    if (view.steps[step].op == Op::gaussian_blur) {
      blur(view.steps[step].box, size, image, planes_of_block(scratch, size));
      ++step;
    } else {
      const int end = end_of_colors(view, step);
      change_colors(view, step, end, size * size, image);
      step = end;
    }
  }
}

struct Normalization {
  float mean[3], deviation[3];
};

template <class T>
__global__ void normalize_kernel(int size, const uint8_t* planes, Normalization n,
                                 engine::Planes layout, T* views) {
  const int count = size * size;
  const uint8_t* image = planes_of_block(planes, size);
  for_each_in_view(count, [&](int p) {
    for (int c = 0; c < 3; ++c) {
      const int64_t plane = blockIdx.x * layout.blocks + c / layout.lanes;
      views[(plane * count + p) * layout.lanes + c % layout.lanes] =
          static_cast<T>(normalized(image[c * count + p], n.mean[c], n.deviation[c]));
    }
  });
}

Normalization image_net() {
  Normalization n;
  std::ranges::copy(kImageNetMean, n.mean);
  std::ranges::copy(kImageNetDeviation, n.deviation);
  return n;
}

}  // namespace

void finish_views(engine::CudaContext& ctx, const engine::Tensor& raw, engine::Tensor& views) {
  using engine::Shape;
  const int64_t count = raw.shape()[0], side = views.shape()[3];
  const auto size = static_cast<int>(side);
  engine::require(raw.shape() == Shape{count, raw_view_bytes(size)} &&
                      views.shape() == Shape{count, 3, side, side},
                  "finish_views: raw views [M,", raw_view_bytes(size), "] and views [M,3,", side,
                  ",", side, "] expected, found ", raw.shape(), " and ", views.shape());
  engine::Tensor planes({count, 3, side, side}, engine::DType::u8, ctx.device());
  engine::Tensor scratch = empty_like(planes);
  const auto blocks = static_cast<unsigned>(count);
  const auto parts = std::min<int64_t>(engine::ceil_div(side * side, kBlockThreads), 65535);
  const Grid pixels{.blocks = dim3(blocks, static_cast<unsigned>(parts)),
                    .threads = dim3(kBlockThreads)};
  const auto* in = raw.data<uint8_t>();
  launch(ctx, resize_kernel, pixels, size, in, planes.data<uint8_t>());
  launch(ctx, steps_kernel, Grid{.blocks = dim3(blocks), .threads = dim3(kStepThreads)}, size, in,
         planes.data<uint8_t>(), scratch.data<uint8_t>());
  engine::for_activation(views.dtype(), [&](auto zero) {
    using T = decltype(zero);
    launch(ctx, normalize_kernel<T>, pixels, size, planes.data<uint8_t>(), image_net(),
           planes_of(views), views.data<T>());
  });
}

}  // namespace pixpro
