// How the BatchNorm kernels walk over an activation. Any layout is a table of rows (one a pixel of
// an image) by channels. A block has 32 threads side by side along the channels (one load of 32
// neighbours in NHWC) and 8 along the rows; it owns 32 channels of one chunk of one view's rows.
#pragma once

#include <algorithm>

#include "engine/cuda/kernel.cuh"

namespace engine {

inline constexpr int kChannelThreads = 32, kRowThreads = 8;

struct ChannelRows {
  Planes planes;
  int64_t channels;
  int64_t rows;        // of one view
  int64_t chunk_rows;  // of one block
  int chunks;          // of one view
  int views;

  ChannelRows(const Tensor& x, int64_t view_count)
      : planes(planes_of(x)),
        channels(planes.channels()),
        rows(planes.n / view_count * planes.pixels),
        views(static_cast<int>(view_count)) {
    // Enough chunks to fill the device when there are few channels, and few enough that adding
    // them up costs nothing. They depend on the shape alone, and so do the sums.
    constexpr int64_t kLeastRows = 16 * kRowThreads, kMostChunks = 256;
    const int64_t wanted = std::clamp<int64_t>(rows / kLeastRows, 1, kMostChunks);
    chunk_rows = (rows + wanted - 1) / wanted;
    chunks = static_cast<int>((rows + chunk_rows - 1) / chunk_rows);
  }

  unsigned channel_blocks() const {
    return static_cast<unsigned>((channels + kChannelThreads - 1) / kChannelThreads);
  }
  Grid grid() const {
    return {.blocks =
                dim3(channel_blocks(), static_cast<unsigned>(chunks), static_cast<unsigned>(views)),
            .threads = dim3(kChannelThreads, kRowThreads)};
  }

  // This thread's channel; it may lie beyond the last one.
  __device__ int64_t channel() const { return int64_t{blockIdx.x} * kChannelThreads + threadIdx.x; }
  __device__ int64_t first_row() const { return blockIdx.y * chunk_rows; }
  __device__ int64_t end_row() const {
    return first_row() + chunk_rows < rows ? first_row() + chunk_rows : rows;
  }

  // Where the element of a row of this block's view lies.
  __device__ int64_t index(int64_t row, int64_t c) const {
    const int64_t global = blockIdx.z * rows + row;
    if (planes.blocks == 1) return global * planes.lanes + c;
    const int64_t image = global / planes.pixels, pixel = global % planes.pixels;
    return ((image * planes.blocks + c / planes.lanes) * planes.pixels + pixel) * planes.lanes +
           c % planes.lanes;
  }

  // Calls f(element) for this thread's channel in all its rows.
  template <class F>
  __device__ void for_each(int64_t c, F&& f) const {
    for (int64_t row = first_row() + threadIdx.y; row < end_row(); row += kRowThreads) {
      f(index(row, c));
    }
  }

  // In a table [views, 2, C]: this view's first entry of channel c; its second lies C further.
  __device__ int64_t entry(int64_t c) const { return blockIdx.z * 2 * channels + c; }
};

// Adds up a value of all threads of one channel; the sum is right in row 0 of the block.
inline __device__ double sum_over_rows(double value) {
  __shared__ double partial[kRowThreads][kChannelThreads];
  __syncthreads();  // an earlier sum may still be read
  partial[threadIdx.y][threadIdx.x] = value;
  __syncthreads();
  double sum = 0.0;
  if (threadIdx.y == 0) {
    for (int y = 0; y < kRowThreads; ++y) sum += partial[y][threadIdx.x];
  }
  return sum;
}

}  // namespace engine
