// The project's own matrix product for float and double: what float64 runs on, and what the library
// is held against.
#pragma once

#include <cstdint>

namespace engine {

// A matrix in memory; transposing it is exchanging the strides.
template <class T>
struct MatrixView {
  const T* data;
  int64_t row_stride, column_stride;
};

// c[i * c_stride + j] = (or += where accumulate) sum_k a[i,k] b[k,j] for an M x N result. Each
// element is summed in the order of k, whatever the number of threads.
struct GemmShape {
  int64_t m, n, k;
  int64_t c_stride;
  bool accumulate = false;
};
template <class T>
void gemm(const GemmShape& shape, MatrixView<T> a, MatrixView<T> b, T* c);

}  // namespace engine
