// How the BatchNorm kernels walk over an activation. Any layout is a table of rows (one a pixel of
// an image) by channels. A thread takes some channels that lie side by side (`width`, see
// vectors.cuh), a block up to 32 threads along the channels and the rest of its 256 along the rows;
// it owns its channels of one chunk of one part's rows.
#pragma once

#include <algorithm>

#include "engine/cuda/vectors.cuh"

namespace engine {

inline constexpr int kMostAcross = 32;  // threads of a block along the channels
inline constexpr int kMergeThreads = 1024;

struct ChannelRows {
  Planes planes;
  int64_t channels;
  int64_t rows;        // of one part
  int64_t chunk_rows;  // of one block
  int chunks;          // of one part
  int parts;

  ChannelRows(const Tensor& x, int64_t view_count)
      : planes(planes_of(x)),
        channels(planes.channels()),
        rows(planes.n / view_count * planes.pixels),
        parts(static_cast<int>(view_count)) {
    // Enough chunks to fill the device when there are few channels, and few enough that adding
    // them up costs little. They depend on the shape alone.
    constexpr int64_t kLeastRows = 128, kMostChunks = 512;
    const int64_t wanted = std::clamp<int64_t>(rows / kLeastRows, 1, kMostChunks);
    chunk_rows = (rows + wanted - 1) / wanted;
    chunks = static_cast<int>((rows + chunk_rows - 1) / chunk_rows);
  }

  // How many values follow each other in memory at the least, all of them of other channels.
  int64_t run() const { return planes.blocks == 1 ? channels : 1; }

  // One block for each chunk; its threads take `width` channels each.
  Grid grid(int width) const { return grid(width, kBlockThreads, static_cast<unsigned>(chunks)); }
  // One block for all chunks of its channels, for adding them up: many threads, because each waits
  // for its values, and only a few blocks have any.
  Grid merge_grid() const { return grid(1, kMergeThreads, 1); }

  // This thread's first channel; it may lie beyond the last one.
  template <int kWidth = 1>
  __device__ int64_t channel() const {
    return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth;
  }
  __device__ int64_t first_row() const { return blockIdx.y * chunk_rows; }
  __device__ int64_t end_row() const {
    return first_row() + chunk_rows < rows ? first_row() + chunk_rows : rows;
  }

  // Where the element of a row of this block's part lies.
  __device__ int64_t index(int64_t row, int64_t c) const {
    const int64_t global = blockIdx.z * rows + row;
    if (planes.blocks == 1) return global * planes.lanes + c;
    const int64_t image = global / planes.pixels, pixel = global % planes.pixels;
    return ((image * planes.blocks + c / planes.lanes) * planes.pixels + pixel) * planes.lanes +
           c % planes.lanes;
  }

  // Calls use(i, load(i)) for the element i of this thread's first channel in each of its rows.
  // kAhead rows are loaded before the first of them is used.
  template <int kAhead, class Load, class Use>
  __device__ void for_each(int64_t c, Load&& load, Use&& use) const {
    const int64_t step = blockDim.y, end = end_row();
    int64_t row = first_row() + threadIdx.y;
    for (; row + (kAhead - 1) * step < end; row += kAhead * step) {
      decltype(load(int64_t{})) loaded[kAhead];
      for (int k = 0; k < kAhead; ++k) loaded[k] = load(index(row + k * step, c));
      for (int k = 0; k < kAhead; ++k) use(index(row + k * step, c), loaded[k]);
    }
    for (int k = 0; k < kAhead - 1; ++k, row += step) {
      if (row < end) use(index(row, c), load(index(row, c)));
    }
  }

  // In a table [parts, chunks, 2, C]: this block's first entry of channel c; as in entry().
  __device__ double* row_of(double* table, int64_t c) const {
    return table + (int64_t{blockIdx.z} * chunks + blockIdx.y) * 2 * channels + c;
  }
  // In a table [parts, 2, C]: this part's first entry of channel c; its second lies C further.
  __device__ int64_t entry(int64_t c) const { return blockIdx.z * 2 * channels + c; }

 private:
  Grid grid(int width, unsigned threads, unsigned chunk_blocks) const {
    const int64_t needed = (channels + width - 1) / width;
    unsigned across = kMostAcross;
    while (across / 2 >= needed) across /= 2;
    const int64_t blocks = (needed + across - 1) / across;
    return {
        .blocks = dim3(static_cast<unsigned>(blocks), chunk_blocks, static_cast<unsigned>(parts)),
        .threads = dim3(across, threads / across)};
  }
};

// Adds up a value of all threads of one channel; the sum is right in row 0 of the block.
inline __device__ double sum_over_rows(double value) {
  __shared__ double partial[kMergeThreads];
  __syncthreads();  // an earlier sum may still be read
  partial[threadIdx.y * blockDim.x + threadIdx.x] = value;
  __syncthreads();
  double sum = 0.0;
  if (threadIdx.y == 0) {
    for (unsigned y = 0; y < blockDim.y; ++y) sum += partial[y * blockDim.x + threadIdx.x];
  }
  return sum;
}

}  // namespace engine
