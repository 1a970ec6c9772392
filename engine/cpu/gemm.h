// The project's matrix product for float and double: f64 runs on it, and the library's results are
// compared with it.
#pragma once

#include <cstdint>

namespace engine {

// A matrix in memory. Exchanging the strides transposes it.
template <class T>
struct MatrixView {
  const T* data;
  int64_t row_stride, column_stride;
};

// c[i * c_stride + j] = sum_k a[i,k] b[k,j] for an m x n result; += instead of = if accumulate is
// set. Each element is summed in the order of k, whatever the number of threads.
struct GemmShape {
  int64_t m, n, k;
  int64_t c_stride;
  bool accumulate = false;
};
template <class T>
void gemm(const GemmShape& shape, MatrixView<T> a, MatrixView<T> b, T* c);

}  // namespace engine
