// Products of lines and squares of vectors (kLanes floats) with a constant matrix. The compiler
// drops the zeros, does not multiply by ones, and computes what two rows share once.
#pragma once

#include <array>
#include <type_traits>
#include <utility>

#include "engine/cpu/lanes.h"

namespace engine {

template <size_t Rows, size_t Columns>
using Matrix = std::array<std::array<double, Columns>, Rows>;

// A matrix, prepared for multiplication. Rows e and e + 1, e odd, may differ in signs only, as
// those of points p and -p do. They are then the sum and the difference of two sparser rows, one
// with the entries that are equal and one with those that are opposite, which are stored in their
// place.
template <size_t Rows, size_t Columns>
struct LineMap {
  static constexpr int64_t kRows = Rows, kColumns = Columns;
  float at[Rows][Columns] = {};
  bool pair[Rows] = {};  // whether rows e and e + 1 are stored this way

  constexpr LineMap(const Matrix<Rows, Columns>& m) {  // NOLINT: a matrix is meant to convert
    for (size_t e = 0; e < Rows; ++e) {
      for (size_t j = 0; j < Columns; ++j) at[e][j] = static_cast<float>(m[e][j]);
    }
    for (size_t e = 1; e + 1 < Rows; e += 2) {
      pair[e] = true;
      for (size_t j = 0; j < Columns; ++j) {
        pair[e] = pair[e] && (m[e][j] == m[e + 1][j] || m[e][j] == -m[e + 1][j]);
      }
      for (size_t j = 0; pair[e] && j < Columns; ++j) {
        at[e + 1][j] = 0;
        if (m[e][j] != m[e + 1][j]) std::swap(at[e][j], at[e + 1][j]);
      }
    }
  }
};

template <const auto& kMap>
inline constexpr int64_t rows_of = std::remove_cvref_t<decltype(kMap)>::kRows;
template <const auto& kMap>
inline constexpr int64_t columns_of = std::remove_cvref_t<decltype(kMap)>::kColumns;

// The sum over i < N of At::value(i) * x[i], whose factors are constants.
template <int64_t N, class At>
inline Lanes dot(const Lanes (&x)[N], At) {
  constexpr int64_t first = [] {
    int64_t i = 0;
    while (i + 1 < N && At::value(i) == 0) ++i;
    return i;
  }();
  Lanes sum = At::value(first) * x[first];
  unrolled(kEach<N>, [&](auto i) {
    if constexpr (i > first && At::value(i) != 0) sum += At::value(i) * x[i];
  });
  return sum;
}

template <const auto& kMap, int64_t Row>
struct RowOf {
  static constexpr float value(int64_t j) { return kMap.at[Row][j]; }
};
template <const auto& kMap, int64_t Column>
struct ColumnOf {
  static constexpr float value(int64_t e) { return kMap.at[e][Column]; }
};

// The matrix times one line of vectors: element j is at in + j * s, of the result at out + j * t.
template <const auto& kMap>
inline void multiply_line(const float* in, int64_t s, float* out, int64_t t) {
  Lanes x[columns_of<kMap>], v[rows_of<kMap>];
  unrolled(kEach<columns_of<kMap>>, [&](auto j) { x[j] = lanes(in + j * s); });
  unrolled(kEach<rows_of<kMap>>, [&](auto e) { v[e] = dot(x, RowOf<kMap, e>{}); });
  unrolled(kEach<rows_of<kMap>>, [&](auto e) {
    if constexpr (kMap.pair[e]) {
      lanes(out + e * t) = v[e] + v[e + 1];
      lanes(out + (e + 1) * t) = v[e] - v[e + 1];
    } else if constexpr (!kMap.pair[e > 0 ? e - 1 : 0]) {  // pair[0] is never set
      lanes(out + e * t) = v[e];
    }
  });
}

// The same with the transposed matrix.
template <const auto& kMap>
inline void multiply_line_transposed(const float* in, int64_t s, float* out, int64_t t) {
  Lanes v[rows_of<kMap>];
  unrolled(kEach<rows_of<kMap>>, [&](auto e) { v[e] = lanes(in + e * s); });
  unrolled(kEach<rows_of<kMap>>, [&](auto e) {
    if constexpr (kMap.pair[e]) {
      const Lanes sum = v[e] + v[e + 1];
      v[e + 1] = v[e] - v[e + 1];
      v[e] = sum;
    }
  });
  unrolled(kEach<columns_of<kMap>>,
           [&](auto j) { lanes(out + j * t) = dot(v, ColumnOf<kMap, j>{}); });
}

// A square of vectors in memory: element (i, j) is at data + i * row + j * column.
template <class T>
struct Square {
  T* data;
  int64_t row, column;
};

// Multiplies in both dimensions, In x In to Out x Out, by one of the above: first the columns, by
// column(j, to, step), which writes element i to to + i * step, then the rows. Not inlined, because
// the compiler could form multiply-adds differently in each copy, which would then round
// differently. Flattened, because each function it calls is only a few instructions.
template <auto kLine, int64_t In, int64_t Out, class Column>
[[gnu::noinline, gnu::flatten]] void transform_columns(Column&& column, const Square<float>& out) {
  alignas(64) float columns[Out * In * kLanes];
  for (int64_t j = 0; j < In; ++j) column(j, columns + j * kLanes, In * kLanes);
  for (int64_t i = 0; i < Out; ++i) {
    kLine(columns + i * In * kLanes, kLanes, out.data + i * out.row, out.column);
  }
}

template <auto kLine, int64_t In, int64_t Out>
inline void transform(const Square<const float>& in, const Square<float>& out) {
  transform_columns<kLine, In, Out>(
      [&](int64_t j, float* to, int64_t step) { kLine(in.data + j * in.column, in.row, to, step); },
      out);
}

}  // namespace engine
