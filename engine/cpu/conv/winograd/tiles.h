// The tiles of Winograd's convolution, and their transforms from and to activations. All three
// directions use them.
#pragma once

#include <algorithm>

#include "engine/cpu/conv/window.h"
#include "engine/cpu/conv/winograd/line_map.h"
#include "engine/cpu/conv/winograd/team.h"

namespace engine {

// Tiles of M x M output pixels, numbered over images, rows and columns.
template <int64_t M>
struct TileGrid {
  int64_t images, height, width;  // of the output

  int64_t rows() const { return ceil_div(height, M); }
  int64_t columns() const { return ceil_div(width, M); }
  int64_t tiles() const { return images * rows() * columns(); }

  struct Place {
    int64_t image, row, column;
  };
  Place place(int64_t tile) const {
    return {tile / (rows() * columns()), tile / columns() % rows(), tile % columns()};
  }
};

// Tiles begin .. end-1.
struct TileStrip {
  int64_t begin, end;
  int64_t tiles() const { return end - begin; }
};
inline TileStrip strip_of(int64_t tiles, int64_t number, int64_t count) {
  return {part_begin(tiles, number, count), part_begin(tiles, number + 1, count)};
}

// Transformed tiles of a strip: element e of channel block b and tile t is at
// data + e * stride + (b * tiles + t) * kLanes.
struct Transformed {
  float* data;
  int64_t stride;
};

// A stride of at least `floats` between the elements of a transform: an odd number of cache lines,
// so that the elements do not fall into the same sets of the L1 cache.
inline int64_t element_stride(int64_t floats) { return (ceil_div(floats, 16) | 1) * 16; }

// Transforms the window from (row, column) on, which is partly outside of the plane of height x
// width pixels. Pixels outside count as zero.
template <auto kLine, int64_t R, int64_t E>
void transform_edge(const float* plane, int64_t height, int64_t width, int64_t row, int64_t column,
                    const Square<float>& out) {
  const int64_t top = std::max<int64_t>(0, -row), bottom = std::min(R, height - row);
  transform_columns<kLine, R, E>(
      [&](int64_t j, float* to, int64_t step) {
        alignas(64) float line[R * kLanes] = {};
        if (column + j >= 0 && column + j < width) {
          const float* pixel = plane + ((row + top) * width + column + j) * kLanes;
          for (int64_t i = top; i < bottom; ++i, pixel += width * kLanes) {
            lanes(line + i * kLanes) = lanes(pixel);
          }
        }
        kLine(line, kLanes, to, step);
      },
      out);
}

// The pixels of a tile are prefetched kTilesAhead tiles before they are read or written: the
// processor does not foresee them, since the rows of a tile are short and far apart.
inline constexpr int64_t kTilesAhead = 8;
[[gnu::always_inline]] inline void prefetch_pixels(const float* corner, int64_t rows,
                                                   int64_t columns, int64_t row_floats) {
  for (int64_t i = 0; i < rows; ++i, corner += row_floats) {
    for (int64_t j = 0; j < columns * kLanes; j += 16) prefetch(corner + j);
  }
}

// Writes a strip's windows of pixels, multiplied by the map in both dimensions. The window of tile
// (i, j) begins at pixel (i * step - padding, j * step - padding) of its image; `first` is the
// first of the images.
template <const auto& kMap, int64_t M>
void transform_tiles(const ChannelImage& first, const TileGrid<M>& grid, int64_t step,
                     int64_t padding, const TileStrip& strip, const Transformed& out,
                     const Team& team) {
  constexpr int64_t R = columns_of<kMap>, E = rows_of<kMap>;
  const int64_t tiles = strip.tiles(), items = first.blocks * tiles;
  const int64_t row_floats = first.width * kLanes, plane = first.height * row_floats;
  struct Corner {
    const float* in;  // the plane's first pixel
    int64_t row, column;
  };
  const auto corner = [&](int64_t item) -> Corner {
    const auto [image, i, j] = grid.place(strip.begin + item % tiles);
    return {first.data + (image * first.blocks + item / tiles) * plane, i * step - padding,
            j * step - padding};
  };
  team.share(items, [&](int64_t item) {
    if (item + kTilesAhead < items) {
      const Corner next = corner(item + kTilesAhead);
      const int64_t seen = std::max<int64_t>(0, R - step);  // columns of the window before it
      prefetch_pixels(next.in + next.row * row_floats + (next.column + seen) * kLanes, R, R - seen,
                      row_floats);
    }
    const auto [in, row, column] = corner(item);
    const Square<float> to{out.data + item * kLanes, E * out.stride, out.stride};
    if (row >= 0 && column >= 0 && row + R <= first.height && column + R <= first.width) {
      const float* pixel = in + row * row_floats + column * kLanes;
      return transform<multiply_line<kMap>, R, E>(Square<const float>{pixel, row_floats, kLanes},
                                                  to);
    }
    transform_edge<multiply_line<kMap>, R, E>(in, first.height, first.width, row, column, to);
  });
}

// Where tiles are written: images of `blocks` channel blocks.
struct TileOutput {
  float* data;
  int64_t blocks;
  bool adds;  // to what the pixels hold
};

// Writes a strip's tiles of pixels: the elements multiplied by the transposed map in both
// dimensions. `in` holds `count` channel blocks, which are the output's blocks from `first` on.
template <const auto& kMap, int64_t M>
void restore_tiles(const Transformed& in, const TileGrid<M>& grid, const TileStrip& strip,
                   int64_t first, int64_t count, TileOutput out) {
  constexpr int64_t E = rows_of<kMap>;
  alignas(64) float copy[M * M * kLanes];
  const int64_t tiles = strip.tiles(), items = count * tiles, row_floats = grid.width * kLanes;
  const auto corner = [&](int64_t item) {
    const auto [image, i, j] = grid.place(strip.begin + item % tiles);
    const int64_t plane = image * out.blocks + first + item / tiles;
    return out.data + (plane * grid.height + i * M) * row_floats + j * M * kLanes;
  };
  for (int64_t item = 0; item < items; ++item) {
    if (item + kTilesAhead < items) prefetch_pixels(corner(item + kTilesAhead), M, M, row_floats);
    const auto [image, i, j] = grid.place(strip.begin + item % tiles);
    const int64_t height = std::min(M, grid.height - i * M),
                  width = std::min(M, grid.width - j * M);
    const Square<const float> from{in.data + item * kLanes, E * in.stride, in.stride};
    float* to = corner(item);
    if (height == M && width == M && !out.adds) {
      transform<multiply_line_transposed<kMap>, E, M>(from, Square<float>{to, row_floats, kLanes});
      continue;
    }
    transform<multiply_line_transposed<kMap>, E, M>(from, Square<float>{copy, M * kLanes, kLanes});
    for (int64_t row = 0; row < height; ++row) {
      for (int64_t at = 0; at < width * kLanes; at += kLanes) {
        const Lanes sum = lanes(copy + row * M * kLanes + at);
        Lanes& pixels = lanes(to + row * row_floats + at);
        pixels = out.adds ? pixels + sum : sum;
      }
    }
  }
}

}  // namespace engine
