#include "engine/cpu/gemm.h"

#include <algorithm>
#include <vector>

#include "engine/arithmetic.h"
#include "engine/parallel.h"

namespace engine {
namespace {

// One thread computes a block of c from packed copies of a and b, which fit its L2 cache. The block
// consists of tiles of kTileRows x one cache line, whose sums stay in registers.
constexpr int64_t kBlockRows = 64, kBlockDepth = 256, kTileRows = 4;
template <class T>
constexpr int64_t kTileColumns = 64 / static_cast<int64_t>(sizeof(T));
template <class T>
constexpr int64_t kBlockColumns = 16 * kTileColumns<T>;

// Copies rows x depth of a into panels of kTileRows rows, column by column. Missing rows are zero.
template <class T>
void pack_rows(MatrixView<T> a, int64_t rows, int64_t depth, T* out) {
  for (int64_t first = 0; first < rows; first += kTileRows) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t i = first; i < first + kTileRows; ++i) {
        *out++ = i < rows ? a.data[i * a.row_stride + k * a.column_stride] : T{0};
      }
    }
  }
}

// Copies depth x columns of b into panels of kTileColumns columns, row by row.
template <class T>
void pack_columns(MatrixView<T> b, int64_t columns, int64_t depth, T* out) {
  for (int64_t first = 0; first < columns; first += kTileColumns<T>) {
    const int64_t count = std::min(kTileColumns<T>, columns - first);
    for (int64_t k = 0; k < depth; ++k, out += kTileColumns<T>) {
      const T* in = b.data + k * b.row_stride + first * b.column_stride;
      for (int64_t j = 0; j < count; ++j) out[j] = in[j * b.column_stride];
      std::fill(out + count, out + kTileColumns<T>, T{0});
    }
  }
}

// Stores one tile's product in c, or adds it. Only rows x columns of the tile are inside c.
template <class T>
void multiply_tile(const T* a, const T* b, int64_t depth, bool add, int64_t rows, int64_t columns,
                   T* c, int64_t c_stride) {
  constexpr int64_t kColumns = kTileColumns<T>;
  T sums[kTileRows][kColumns] = {};
  for (int64_t k = 0; k < depth; ++k, a += kTileRows, b += kColumns) {
    for (int64_t i = 0; i < kTileRows; ++i) {
#pragma omp simd
      for (int64_t j = 0; j < kColumns; ++j) sums[i][j] += a[i] * b[j];
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j) {
      c[i * c_stride + j] = sums[i][j] + (add ? c[i * c_stride + j] : T{0});
    }
  }
}

template <class T>
void multiply_block(const GemmShape& s, MatrixView<T> a, MatrixView<T> b, int64_t row,
                    int64_t column, T* c) {
  const int64_t rows = std::min(kBlockRows, s.m - row);
  const int64_t columns = std::min(kBlockColumns<T>, s.n - column);
  thread_local std::vector<T> packed_a(static_cast<size_t>(kBlockRows * kBlockDepth));
  thread_local std::vector<T> packed_b(static_cast<size_t>(kBlockColumns<T> * kBlockDepth));
  for (int64_t k = 0; k < s.k || k == 0; k += kBlockDepth) {
    const int64_t depth = std::min(kBlockDepth, s.k - k);
    pack_rows(MatrixView<T>{a.data + row * a.row_stride + k * a.column_stride, a.row_stride,
                            a.column_stride},
              rows, depth, packed_a.data());
    pack_columns(MatrixView<T>{b.data + k * b.row_stride + column * b.column_stride, b.row_stride,
                               b.column_stride},
                 columns, depth, packed_b.data());
    for (int64_t j = 0; j < columns; j += kTileColumns<T>) {
      for (int64_t i = 0; i < rows; i += kTileRows) {
        multiply_tile(packed_a.data() + i * depth, packed_b.data() + j * depth, depth,
                      s.accumulate || k > 0, std::min(kTileRows, rows - i),
                      std::min(kTileColumns<T>, columns - j),
                      c + (row + i) * s.c_stride + column + j, s.c_stride);
      }
    }
  }
}

}  // namespace

template <class T>
void gemm(const GemmShape& s, MatrixView<T> a, MatrixView<T> b, T* c) {
  const int64_t across = ceil_div(s.n, kBlockColumns<T>), down = ceil_div(s.m, kBlockRows);
  const int64_t products = std::min(kBlockRows, s.m) * std::min(kBlockColumns<T>, s.n) * s.k;
  parallel_for(across * down, grain_of(products / 8), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      multiply_block(s, a, b, i % down * kBlockRows, i / down * kBlockColumns<T>, c);
    }
  });
}
template void gemm(const GemmShape&, MatrixView<float>, MatrixView<float>, float*);
template void gemm(const GemmShape&, MatrixView<double>, MatrixView<double>, double*);

}  // namespace engine
