#include "engine/cpu/conv/register_tile.h"

namespace engine {
namespace {

// The accumulators of a tile. The compiler keeps them in registers only if they are a local array
// of the function with the loop, which is therefore flattened, and all indices are constants.
template <int Rows, int Vectors>
using Sums = Lanes[Rows][Vectors];

// Calls f(row, vector), both integral constants, for all accumulators of a tile.
template <int Rows, int Vectors, class F>
inline void for_sums(F&& f) {
  unrolled(kEach<Rows>, [&](auto r) { unrolled(kEach<Vectors>, [&](auto v) { f(r, v); }); });
}

// at(row, vector) is the address of a sum in memory.
template <int Rows, int Vectors, class At>
inline void start(Sums<Rows, Vectors>& sums, bool accumulate, At&& at) {
  if (accumulate) {
    for_sums<Rows, Vectors>([&](auto r, auto v) { sums[r][v] = lanes(at(r, v)); });
  } else {
    for_sums<Rows, Vectors>([&](auto r, auto v) { sums[r][v] = Lanes{}; });
  }
}

template <int Rows, int Vectors, class At>
inline void store(const Sums<Rows, Vectors>& sums, At&& at) {
  for_sums<Rows, Vectors>([&](auto r, auto v) { lanes(at(r, v)) = sums[r][v]; });
}

// sums[r][v] += scalars[r][at] * vectors[v]. The operand with fewer registers is loaded first and
// stays in them; the compiler keeps this order.
template <int Rows, int Vectors>
inline void add(Sums<Rows, Vectors>& sums, const float* const (&scalars)[Rows], int64_t at,
                const float* vectors, int64_t plane) {
  if constexpr (Rows < Vectors) {
    float x[Rows];
    unrolled(kEach<Rows>, [&](auto r) { x[r] = scalars[r][at]; });
    unrolled(kEach<Vectors>, [&](auto v) {
      const Lanes y = lanes(vectors + v * plane);
      unrolled(kEach<Rows>, [&](auto r) { sums[r][v] += x[r] * y; });
    });
  } else {
    Lanes y[Vectors];
    unrolled(kEach<Vectors>, [&](auto v) { y[v] = lanes(vectors + v * plane); });
    unrolled(kEach<Rows>, [&](auto r) {
      const float x = scalars[r][at];
      unrolled(kEach<Vectors>, [&](auto v) { sums[r][v] += x * y[v]; });
    });
  }
}

constexpr int kPixelsPerLine = 16 / kLanes;  // of a cache line

template <int Rows, int Vectors>
[[gnu::noinline, gnu::flatten]] void pixel_tile(const PixelSum& s, const int64_t* in_offset,
                                                const int64_t* out_offset) {
  const auto at = [&](int r, int v) { return s.out + out_offset[r] + v * s.out_plane; };
  Sums<Rows, Vectors> sums;
  start<Rows, Vectors>(sums, s.accumulate, at);
  const float* in[Rows];
  for (int r = 0; r < Rows; ++r) in[r] = s.in + in_offset[r];
  if (s.ahead > 0) {
    for_sums<Rows, Vectors>([&](auto r, auto v) { prefetch(at(r, v)); });
  }
  const float* next = s.in + in_offset[s.ahead];
  const float* weights = s.weights;
  int64_t block = 0;
  do {
    int64_t tap = 0;
    do {
      const int64_t offset = block * s.in_plane + s.tap_offset[tap];
      if (s.ahead > 0) {
        for (int r = 0; r < Rows; r += kPixelsPerLine) prefetch(next + offset + r * kLanes);
        if (s.weights_ahead != nullptr) s.weights_ahead->prefetch_next();
      }
#pragma GCC unroll 16
      for (int64_t c = 0; c < kLanes; ++c, weights += kPanel) {
        add<Rows, Vectors>(sums, in, offset + c, weights, kLanes);
      }
    } while (++tap < s.taps);
  } while (++block < s.blocks);
  store<Rows, Vectors>(sums, at);
}

template <int Rows, int Vectors>
[[gnu::noinline, gnu::flatten]] void weight_tile(const WeightSum& s, const int64_t* x_offset,
                                                 float* dw) {
  const auto at = [&](int r, int v) { return dw + r * kPanel + v * kLanes; };
  Sums<Rows, Vectors> sums;
  start<Rows, Vectors>(sums, s.accumulate, at);
  const float* x[Rows];
  for (int r = 0; r < Rows; ++r) x[r] = s.x + x_offset[r];
  const int64_t step = s.x_step, plane = s.dy_plane;
  int64_t run = 0;
  do {
    int64_t offset = s.x_run[run];
    const float* dy = s.dy + s.dy_run[run];
    const float* end = dy + s.length * kLanes;
    do {
      prefetch(x[0] + offset + s.x_ahead);
      add<Rows, Vectors>(sums, x, offset, dy, plane);
      offset += step;
      dy += kLanes;
    } while (dy < end);
  } while (++run < s.runs);
  store<Rows, Vectors>(sums, at);
}

// Calls f(integral_constant<int, n>) for n in 1 .. Max.
template <int Max, class F>
void with_constant(int64_t n, F&& f) {
  if constexpr (Max > 1) {
    if (n < Max) return with_constant<Max - 1>(n, f);
  }
  f(std::integral_constant<int, Max>{});
}

// Calls f(vectors, rows, first row) for full tiles, then for the rest; vectors and rows are
// integral constants.
template <class F>
void for_tiles(int64_t vectors, int64_t rows, F&& f) {
  with_constant<kRegisterVectors>(vectors, [&](auto v) {
    int64_t row = 0;
    for (; row + kRegisterRows <= rows; row += kRegisterRows) {
      f(v, std::integral_constant<int, kRegisterRows>{}, row);
    }
    if (row < rows) with_constant<kRegisterRows>(rows - row, [&](auto r) { f(v, r, row); });
  });
}

}  // namespace

void sum_pixels(const PixelSum& sum, int64_t vectors, const int64_t* in_offset,
                const int64_t* out_offset, int64_t pixels) {
  for_tiles(vectors, pixels, [&](auto v, auto r, int64_t first) {
    pixel_tile<r.value, v.value>(sum, in_offset + first, out_offset + first);
  });
}

void sum_weights(const WeightSum& sum, int64_t vectors, const int64_t* x_offset, float* dw,
                 int64_t rows) {
  for_tiles(vectors, rows, [&](auto v, auto r, int64_t first) {
    weight_tile<r.value, v.value>(sum, x_offset + first, dw + first * kPanel);
  });
}

}  // namespace engine
