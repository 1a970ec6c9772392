// The matrices of Winograd's convolution (Lavin and Gray, "Fast algorithms for convolutional neural
// networks", 2016). Along a line, M outputs y of a window d of inputs and a kernel g of 3 taps are
//   y = A' [(G g) * (B' d)]        * by element, ' transposed
// and in two dimensions every matrix acts on columns and rows. With stride 1 this is Toom and
// Cook's F(M, 3): two polynomials are evaluated at M + 1 points and at infinity, their values
// multiplied, and the product's coefficients found; a correlation is that with A and B exchanged.
//
// With stride 2, even inputs meet the outer taps, a convolution F(M, 2) of stride 1, and odd ones
// the middle tap alone: 2 M + 1 products for M outputs where the formula has 3 M.
#pragma once

#include <utility>
#include <vector>

#include "engine/cpu/conv/line_map.h"
#include "engine/cpu/conv/winograd.h"
#include "engine/error.h"

namespace engine {

// Small and near 1, so that little is lost to rounding. The first ones are used.
inline constexpr double kPoints[] = {0, 1, -1, 2, -2, 0.5, -0.5};

// By a polynomial's K coefficients: its values at N - 1 points, and at infinity the last of them.
template <size_t N, size_t K>
constexpr Matrix<N, K> evaluation() {
  Matrix<N, K> m{};
  for (size_t e = 0; e + 1 < N; ++e) {
    double power = 1;
    for (size_t j = 0; j < K; ++j, power *= kPoints[e]) m[e][j] = power;
  }
  m[N - 1][K - 1] = 1;
  return m;
}

// The same over the product of the distances of a point to all others.
template <size_t N, size_t K>
constexpr Matrix<N, K> scaled_evaluation() {
  Matrix<N, K> m = evaluation<N, K>();
  for (size_t e = 0; e + 1 < N; ++e) {
    double product = 1;
    for (size_t p = 0; p + 1 < N; ++p) product *= p == e ? 1 : kPoints[e] - kPoints[p];
    for (size_t j = 0; j < K; ++j) m[e][j] /= product;
  }
  return m;
}

// Row e: the coefficients of the polynomial that is zero at all points but the e-th; the last one's
// is zero at all.
template <size_t N>
constexpr Matrix<N, N> zeros_elsewhere() {
  Matrix<N, N> m{};
  for (size_t e = 0; e < N; ++e) {
    m[e][0] = 1;
    for (size_t p = 0; p + 1 < N; ++p) {
      if (p == e) continue;
      for (size_t j = N - 1; j > 0; --j) m[e][j] = m[e][j - 1] - kPoints[p] * m[e][j];
      m[e][0] *= -kPoints[p];
    }
  }
  return m;
}

// Columns `begin`, begin + step .. of a wider matrix of more rows, where each further row i is 1 in
// column `from` + i * step.
template <size_t Rows, size_t Columns, size_t N, size_t K>
constexpr Matrix<Rows, Columns> with_copies(const Matrix<N, K>& m, size_t begin, size_t from,
                                            size_t step) {
  Matrix<Rows, Columns> wide{};
  for (size_t e = 0; e < N; ++e) {
    for (size_t j = 0; j < K; ++j) wide[e][begin + j * step] = m[e][j];
  }
  for (size_t i = 0; N + i < Rows; ++i) wide[N + i][from + i * step] = 1;
  return wide;
}

// One dimension of an algorithm: windows of inputs, kStep apart, are mapped to kElements factors
// and products back to kTile outputs. Elements from kKernels - 1 on share the last transformed
// kernel. Gradient is the algorithm for the gradient of the inputs.
template <int64_t M, int64_t Stride>
struct Winograd;
template <int64_t M>
struct WinogradTransposed;

template <int64_t M>
struct Winograd<M, 1> {
  static constexpr int64_t kStep = M, kElements = M + 2, kTile = M;
  static constexpr int64_t kKernels = kElements;
  static constexpr LineMap kInput = zeros_elsewhere<kElements>();        // B'
  static constexpr LineMap kOutput = evaluation<kElements, M>();         // A
  static constexpr LineMap kWeight = scaled_evaluation<kElements, 3>();  // G
  using Gradient = Winograd;
};

// Columns 0, 2, 4 .. of the inputs and of the kernel are those of F(M, 2), the odd ones are copied.
template <int64_t M>
struct Winograd<M, 2> {
  static constexpr int64_t kStep = 2 * M, kElements = 2 * M + 1, kTile = M;
  static constexpr int64_t kKernels = M + 2;
  static constexpr LineMap kInput =
      with_copies<kElements, kElements>(zeros_elsewhere<M + 1>(), 0, 1, 2);
  static constexpr LineMap kOutput = with_copies<kElements, M>(evaluation<M + 1, M>(), 0, 0, 1);
  static constexpr LineMap kWeight =
      with_copies<kKernels, 3>(scaled_evaluation<M + 1, 2>(), 0, 1, 2);
  using Gradient = WinogradTransposed<M>;
};

// The gradient of its inputs with padding 1, for kernels turned by 180 degrees: a tile begins at an
// input that met the middle tap alone, and the next one is F(M, 2) of neighbouring outputs.
template <int64_t M>
struct WinogradTransposed {
  static constexpr int64_t kStep = M, kElements = 2 * M + 1, kTile = 2 * M;
  static constexpr int64_t kKernels = M + 2;
  static constexpr LineMap kInput =
      with_copies<kElements, M + 1>(zeros_elsewhere<M + 1>(), 0, 0, 1);
  static constexpr LineMap kOutput = with_copies<kElements, kTile>(evaluation<M + 1, M>(), 1, 0, 2);
  static constexpr LineMap kWeight = Winograd<M, 2>::kWeight;
};

// Calls f(Winograd<tile, stride>{}); throws where there are no kernels for it.
template <class F>
void with_scheme(int64_t stride, int64_t tile, F&& f) {
  const auto of_any = [&]<size_t... I>(std::index_sequence<I...>) {
    constexpr const WinogradTile* known = kWinogradTiles;
    return ((known[I].stride == stride && known[I].tile == tile &&
             (f(Winograd<known[I].tile, known[I].stride>{}), true)) ||
            ...);
  };
  const bool found = of_any(std::make_index_sequence<std::size(kWinogradTiles)>{});
  require(found, "winograd: no kernels for tiles of ", tile, " outputs with stride ", stride);
}

// The elements of a tile in the order of the kernels they meet: those of kernel k are
// element[begin[k]] .. element[begin[k + 1] - 1], as row * kElements + column.
template <class Scheme>
struct ElementOrder {
  std::vector<int64_t> begin = {0};
  std::vector<int64_t> element;

  ElementOrder() {
    constexpr int64_t K = Scheme::kKernels, E = Scheme::kElements;
    const auto end = [](int64_t kernel) { return kernel == K - 1 ? E : kernel + 1; };
    for (int64_t k = 0; k < K * K; ++k) {
      for (int64_t i = k / K; i < end(k / K); ++i) {
        for (int64_t j = k % K; j < end(k % K); ++j) element.push_back(i * E + j);
      }
      begin.push_back(static_cast<int64_t>(element.size()));
    }
  }
};

}  // namespace engine
