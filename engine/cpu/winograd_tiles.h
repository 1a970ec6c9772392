// What the three directions of Winograd's convolution share: the tiles of the output, their
// transforms to and from memory, and the threads' shares.
#pragma once

#include <omp.h>

#include <algorithm>

#include "engine/cpu/tile.h"
#include "engine/cpu/window.h"
#include "engine/cpu/winograd_transform.h"
#include "engine/tensor.h"

namespace engine {

// Threads that share work: one alone, all of a parallel region, or one of several teams of them.
struct Team {
  int64_t member = 0, size = 1, number = 0, teams = 1;

  // The team of this thread where as many as wanted can be of the same size, else that of all.
  static Team of(int64_t wanted) {
    const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
    const int64_t teams = threads % wanted == 0 ? wanted : 1, size = threads / teams;
    return {thread % size, size, thread / size, teams};
  }
  static Team all() { return of(1); }
  // Calls f(i) for this member's part of 0 .. count-1.
  template <class F>
  void share(int64_t count, F&& f) const {
    for (int64_t i = part_begin(count, member, size); i < part_begin(count, member + 1, size);
         ++i) {
      f(i);
    }
  }
  // For all threads of the region, whose teams have to wait equally often.
  void wait() const {
    if (size == 1) return;
#pragma omp barrier
  }
};

// Tiles of M x M output pixels, numbered over images, rows and columns.
template <int64_t M>
struct TileGrid {
  int64_t images, height, width;  // of the output

  int64_t rows() const { return ceil_div(height, M); }
  int64_t columns() const { return ceil_div(width, M); }
  int64_t tiles() const { return images * rows() * columns(); }
};

// Tiles begin .. end-1.
struct Strip {
  int64_t begin, end;
  int64_t tiles() const { return end - begin; }
};
inline Strip strip_of(int64_t tiles, int64_t number, int64_t count) {
  return {part_begin(tiles, number, count), part_begin(tiles, number + 1, count)};
}

// Transformed tiles of a strip: element e of channel block b and tile t lies at
// data + e * stride + (b * tiles + t) * kLanes.
struct Transformed {
  float* data;
  int64_t stride;
};

// An odd number of cache lines with room for `floats`, so that the elements of a transform, which
// are this far apart, do not fall into the same sets of the first-level cache.
inline int64_t element_stride(int64_t floats) { return (ceil_div(floats, 16) | 1) * 16; }

// Transforms R x R pixels from (row, column) on, some of which lie outside of the plane of height x
// width pixels and count as zero.
template <auto kLine, int64_t R, int64_t E>
void transform_edge(const float* plane, int64_t height, int64_t width, int64_t row, int64_t column,
                    const Square<float>& out) {
  const auto pixel = [&](int64_t i, int64_t j) {
    const bool inside = i >= 0 && i < height && j >= 0 && j < width;
    return inside ? lanes(plane + (i * width + j) * kLanes) : Lanes{};
  };
  transform_columns<kLine, R, E>(
      [&](int64_t j, float* to, int64_t step) {
        alignas(64) float line[R * kLanes];
        for (int64_t i = 0; i < R; ++i) lanes(line + i * kLanes) = pixel(row + i, column + j);
        kLine(line, kLanes, to, step);
      },
      out);
}

// Transforms windows of R x R pixels to E x E elements. The window of tile (i, j) begins at pixel
// (i * M - padding, j * M - padding) of its image; `first` is the first of the images.
template <auto kLine, int64_t R, int64_t E, int64_t M>
void transform_tiles(const Image& first, const TileGrid<M>& grid, int64_t padding,
                     const Strip& strip, const Transformed& out, const Team& team) {
  const int64_t tiles = strip.tiles(), row_floats = first.width * kLanes;
  const int64_t plane = first.height * row_floats;
  team.share(first.blocks * tiles, [&](int64_t item) {
    const int64_t block = item / tiles, tile = strip.begin + item % tiles;
    const int64_t image = tile / (grid.rows() * grid.columns());
    const int64_t row = tile / grid.columns() % grid.rows() * M - padding;
    const int64_t column = tile % grid.columns() * M - padding;
    const float* in = first.data + (image * first.blocks + block) * plane;
    const Square<float> to{out.data + item * kLanes, E * out.stride, out.stride};
    if (row >= 0 && column >= 0 && row + R <= first.height && column + R <= first.width) {
      const float* corner = in + row * row_floats + column * kLanes;
      return transform<kLine, R, E>(Square<const float>{corner, row_floats, kLanes}, to);
    }
    transform_edge<kLine, R, E>(in, first.height, first.width, row, column, to);
  });
}

// The elements of channel blocks of a strip back to pixels of the output.
template <int64_t M>
void restore_tiles(const Transformed& in, const TileGrid<M>& grid, const Strip& strip,
                   int64_t blocks, float* out, const Team& team) {
  constexpr int64_t E = M + 2;
  alignas(64) float copy[M * M * kLanes];
  const int64_t tiles = strip.tiles(), row_floats = grid.width * kLanes;
  team.share(blocks * tiles, [&](int64_t item) {
    const int64_t block = item / tiles, tile = strip.begin + item % tiles;
    const int64_t image = tile / (grid.rows() * grid.columns());
    const int64_t row = tile / grid.columns() % grid.rows() * M;
    const int64_t column = tile % grid.columns() * M;
    const Square<const float> from{in.data + item * kLanes, E * in.stride, in.stride};
    float* to = out + ((image * blocks + block) * grid.height + row) * row_floats + column * kLanes;
    if (row + M <= grid.height && column + M <= grid.width) {
      return transform<Winograd<M>::output, E, M>(from, Square<float>{to, row_floats, kLanes});
    }
    transform<Winograd<M>::output, E, M>(from, Square<float>{copy, M * kLanes, kLanes});
    const int64_t width = std::min(M, grid.width - column);
    for (int64_t i = 0; i < std::min(M, grid.height - row); ++i) {
      std::copy_n(copy + i * M * kLanes, width * kLanes, to + i * row_floats);
    }
  });
}

}  // namespace engine
