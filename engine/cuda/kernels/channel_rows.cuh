// How the kernels of batch norm and bias walk over an activation. Any layout is seen as a table
// with one row per pixel of an image and one column per channel. The rows of each part of the batch
// are split into chunks. A block handles some channels of one chunk: up to 32 of its 256 threads
// side by side along the channels, the others along the rows. A thread takes `width` adjacent
// channels (see vectors.cuh).
#pragma once

#include <algorithm>

#include "engine/cuda/kernels/vectors.cuh"

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

  ChannelRows(const Tensor& x, int64_t part_count)
      : planes(planes_of(x)),
        channels(planes.channels()),
        rows(planes.n / part_count * planes.pixels),
        parts(static_cast<int>(part_count)) {
    // Enough chunks to fill the device if there are few channels, and few enough that adding them
    // up costs little. They depend on the shape alone, and so do the bits of sums.
    constexpr int64_t kLeastRows = 128, kMostChunks = 512;
    const int64_t wanted = std::clamp<int64_t>(rows / kLeastRows, 1, kMostChunks);
    chunk_rows = ceil_div(rows, wanted);
    chunks = static_cast<int>(ceil_div(rows, chunk_rows));
  }

  // How many consecutive channels of a row are adjacent in memory, at least.
  int64_t run() const { return planes.blocks == 1 ? channels : 1; }

  // One block per chunk, whose threads take `width` channels each.
  Grid grid(int width) const { return grid(width, kBlockThreads, static_cast<unsigned>(chunks)); }
  // For adding up chunks: one block for all chunks of its channels. It has many threads, because
  // each waits for memory and there are only a few blocks.
  Grid merge_grid() const { return grid(1, kMergeThreads, 1); }

  // This thread's first channel; it may be past the last one.
  template <int kWidth = 1>
  __device__ int64_t channel() const {
    return (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * kWidth;
  }
  __device__ int64_t first_row() const { return blockIdx.y * chunk_rows; }
  __device__ int64_t end_row() const {
    return first_row() + chunk_rows < rows ? first_row() + chunk_rows : rows;
  }

  // The index of an element, given its row within this block's part and its channel.
  __device__ int64_t index(int64_t row, int64_t c) const {
    const int64_t global = blockIdx.z * rows + row;
    if (planes.blocks == 1) return global * planes.lanes + c;
    const int64_t image = global / planes.pixels, pixel = global % planes.pixels;
    return ((image * planes.blocks + c / planes.lanes) * planes.pixels + pixel) * planes.lanes +
           c % planes.lanes;
  }

  // Calls use(i, load(i)) for each of this thread's rows, where i is the index of the element of
  // channel c. Loads kAhead rows before it uses the first of them.
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

  // This block's first entry of channel c in a table [parts, chunks, 2, C]; the second is C
  // further.
  __device__ double* row_of(double* table, int64_t c) const {
    return table + (int64_t{blockIdx.z} * chunks + blockIdx.y) * 2 * channels + c;
  }
  // The index of this part's first entry of channel c in a table [parts, 2, C]; likewise.
  __device__ int64_t entry(int64_t c) const { return blockIdx.z * 2 * channels + c; }

 private:
  Grid grid(int width, unsigned threads, unsigned chunk_blocks) const {
    const int64_t needed = ceil_div(channels, width);
    unsigned across = kMostAcross;
    while (across / 2 >= needed) across /= 2;
    const int64_t blocks = ceil_div(needed, across);
    return {
        .blocks = dim3(static_cast<unsigned>(blocks), chunk_blocks, static_cast<unsigned>(parts)),
        .threads = dim3(across, threads / across)};
  }
};

// The sum of the values of all threads of one channel, returned to its thread in row 0 of the
// block.
inline __device__ double sum_over_rows(double value) {
  __shared__ double partial[kMergeThreads];
  __syncthreads();  // another thread may still read an earlier sum
  partial[threadIdx.y * blockDim.x + threadIdx.x] = value;
  __syncthreads();
  double sum = 0.0;
  if (threadIdx.y == 0) {
    for (unsigned y = 0; y < blockDim.y; ++y) sum += partial[y * blockDim.x + threadIdx.x];
  }
  return sum;
}

}  // namespace engine
