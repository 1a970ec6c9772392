// The matrices of Winograd's convolution (Lavin and Gray, "Fast algorithms for convolutional neural
// networks", 2016). Along a line, M outputs y of a window d of inputs and a kernel g of 3 taps are
//   y = A' [(G g) * (B' d)]        * by element, ' transposed
// and in two dimensions every matrix acts on columns and rows. With stride 1 this is Toom and
// Cook's F(M, 3): two polynomials are evaluated at M + 1 points and at infinity, their values
// multiplied, and the product's coefficients found. A correlation is the same with A and B
// exchanged.
//
// With stride 2, even inputs meet the outer taps, which is a convolution F(M, 2) of stride 1, and
// odd inputs meet only the middle tap. That takes 2 M + 1 products for M outputs; the plain formula
// takes 3 M.
#pragma once

#include <utility>
#include <vector>

#include "engine/cpu/conv/winograd/line_map.h"
#include "engine/cpu/conv/winograd/winograd.h"
#include "engine/error.h"

namespace engine {

// The points of evaluation, of which each scheme uses the first few. They are small and near 1, so
// that little is lost to rounding.
inline constexpr double kPoints[] = {0, 1, -1, 2, -2, 0.5, -0.5};

// Maps the K coefficients of a polynomial to its values at N - 1 points and at infinity, which is
// the last coefficient.
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

// The same, with each value divided by the product of its point's differences to all others.
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

// Row e holds the coefficients of the polynomial that vanishes at every point except the e-th. The
// last row's vanishes at all of them.
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

// A larger matrix with m in its first N rows and in columns `begin`, begin + step, ... Row N + i is
// 1 in column `from` + i * step.
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

// A scheme is one dimension of an algorithm. Windows of inputs, kStep apart, are mapped to
// kElements elements, kernels of 3 taps to kKernelElements, and the products back to tiles of kTile
// outputs. Element e of a window meets element e of the kernel; the remaining ones all meet the
// kernel's last. Gradient is the scheme for the gradient of the inputs.
template <int64_t M, int64_t Stride>
struct Winograd;
template <int64_t M>
struct WinogradTransposed;

template <int64_t M>
struct Winograd<M, 1> {
  static constexpr int64_t kStep = M, kElements = M + 2, kTile = M;
  static constexpr int64_t kKernelElements = kElements;
  static constexpr LineMap kInput = zeros_elsewhere<kElements>();        // B'
  static constexpr LineMap kOutput = evaluation<kElements, M>();         // A
  static constexpr LineMap kWeight = scaled_evaluation<kElements, 3>();  // G
  using Gradient = Winograd;
};

// F(M, 2) takes columns 0, 2, 4, ... of the inputs and of the kernel; the odd ones are copied.
template <int64_t M>
struct Winograd<M, 2> {
  static constexpr int64_t kStep = 2 * M, kElements = 2 * M + 1, kTile = M;
  static constexpr int64_t kKernelElements = M + 2;
  static constexpr LineMap kInput =
      with_copies<kElements, kElements>(zeros_elsewhere<M + 1>(), 0, 1, 2);
  static constexpr LineMap kOutput = with_copies<kElements, M>(evaluation<M + 1, M>(), 0, 0, 1);
  static constexpr LineMap kWeight =
      with_copies<kKernelElements, 3>(scaled_evaluation<M + 1, 2>(), 0, 1, 2);
  using Gradient = WinogradTransposed<M>;
};

// The gradient of its inputs with padding 1, for kernels turned by 180 degrees. In a tile of 2 M
// inputs, those at even places met only the middle tap, and those at odd places are F(M, 2) of
// adjacent outputs.
template <int64_t M>
struct WinogradTransposed {
  static constexpr int64_t kStep = M, kElements = 2 * M + 1, kTile = 2 * M;
  static constexpr int64_t kKernelElements = M + 2;
  static constexpr LineMap kInput =
      with_copies<kElements, M + 1>(zeros_elsewhere<M + 1>(), 0, 0, 1);
  static constexpr LineMap kOutput = with_copies<kElements, kTile>(evaluation<M + 1, M>(), 1, 0, 2);
  static constexpr LineMap kWeight = Winograd<M, 2>::kWeight;
};

// Calls f(Winograd<tile, stride>{}); throws if kWinogradTiles does not have it.
template <class F>
void with_scheme(int64_t stride, int64_t tile, F&& f) {
  const auto of_any = [&]<size_t... I>(std::index_sequence<I...>) {
    constexpr const WinogradTile* known = kWinogradTiles;
    return ((known[I].stride == stride && known[I].tile == tile &&
             (f(Winograd<known[I].tile, known[I].stride>{}), true)) ||
            ...);
  };
  const bool found = of_any(std::make_index_sequence<std::size(kWinogradTiles)>{});
  require(found, "winograd: no scheme for tiles of ", tile, " outputs with stride ", stride);
}

// The elements of a window in two dimensions, row * kElements + column, in the order of the kernel
// elements they meet: kernel element k meets element[begin[k]] .. element[begin[k + 1] - 1].
template <class Scheme>
struct ElementOrder {
  std::vector<int64_t> begin = {0};
  std::vector<int64_t> element;

  ElementOrder() {
    constexpr int64_t K = Scheme::kKernelElements, E = Scheme::kElements;
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
