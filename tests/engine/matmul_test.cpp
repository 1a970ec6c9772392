#include "engine/kernels/matmul.h"

#include <gtest/gtest.h>
#include <omp.h>

#include "engine/tensor_ops.h"
#include "tests/support/conv_policy.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace engine {
namespace {

using test_support::distance;
using test_support::hashed_tensor;

struct Case {
  int64_t batch, m, n, k;  // batch 0: plain matrices
};

Shape stored(const Case& c, int64_t rows, int64_t columns, bool transposed) {
  if (transposed) std::swap(rows, columns);
  return c.batch == 0 ? Shape{rows, columns} : Shape{c.batch, rows, columns};
}

Tensor expected(const Case& c, const Tensor& a, const Tensor& b, MatmulOptions o) {
  Tensor product = zeros(stored(c, c.m, c.n, false), DType::f64);
  const double *x = a.data<double>(), *y = b.data<double>();
  double* out = product.data<double>();
  for (int64_t batch = 0; batch < std::max<int64_t>(c.batch, 1); ++batch) {
    for (int64_t i = 0; i < c.m; ++i) {
      for (int64_t j = 0; j < c.n; ++j) {
        for (int64_t k = 0; k < c.k; ++k) {
          const int64_t left = o.transpose_a ? k * c.m + i : i * c.k + k;
          const int64_t right = o.transpose_b ? j * c.k + k : k * c.n + j;
          out[(batch * c.m + i) * c.n + j] +=
              x[batch * c.m * c.k + left] * y[batch * c.k * c.n + right];
        }
      }
    }
  }
  return product;
}

TEST(Matmul, EqualsTheFormulaInAllTranspositions) {
  for (const Case& c : {Case{0, 1, 1, 1}, Case{0, 7, 5, 3}, Case{3, 4, 6, 5}, Case{0, 70, 150, 300},
                        Case{2, 49, 49, 256}, Case{1, 130, 1, 17}}) {
    for (const bool ta : {false, true}) {
      for (const bool tb : {false, true}) {
        const Tensor a = hashed_tensor("a", stored(c, c.m, c.k, ta));
        const Tensor b = hashed_tensor("b", stored(c, c.k, c.n, tb));
        const Tensor correct = expected(c, a, b, {ta, tb});
        for (const ConvPolicy policy : {ConvPolicy::library, ConvPolicy::reference}) {
          const test_support::WithConvPolicy chosen(policy);
          for (const DType dtype : {DType::f64, DType::f32}) {
            Tensor found(matmul_output_shape(a.shape(), b.shape(), {ta, tb}), dtype);
            matmul(cpu_context(), to_dtype(a, dtype), to_dtype(b, dtype), {ta, tb}, found);
            EXPECT_LE(distance(found, correct), dtype == DType::f64 ? 1e-14 : 2e-6)
                << a.shape() << b.shape() << ta << tb << dtype << static_cast<int>(policy);
          }
        }
      }
    }
  }
}

TEST(Matmul, TheReferenceKernelGivesTheSameBitsOnAnyNumberOfThreads) {
  const int threads = omp_get_max_threads();
  for (const Case& c : {Case{0, 130, 150, 300}, Case{5, 49, 49, 256}}) {
    const Tensor a = hashed_tensor("a", stored(c, c.m, c.k, false));
    const Tensor b = hashed_tensor("b", stored(c, c.n, c.k, false));
    std::vector<std::vector<double>> runs;
    for (const int count : {1, 2, 3}) {
      omp_set_num_threads(count);
      Tensor product(stored(c, c.m, c.n, false), DType::f64);
      matmul(cpu_context(), a, b, {.transpose_b = true}, product);
      runs.push_back(to_values(product));
    }
    EXPECT_EQ(runs[0], runs[1]);
    EXPECT_EQ(runs[0], runs[2]);
  }
  omp_set_num_threads(threads);
}

TEST(Matmul, AnEmptySumIsZero) {
  for (const ConvPolicy policy : {ConvPolicy::library, ConvPolicy::reference}) {
    const test_support::WithConvPolicy chosen(policy);
    Tensor c = full({2, 3}, 7.0), batch = full({4, 2, 3}, 7.0);
    matmul(cpu_context(), Tensor({2, 0}), Tensor({0, 3}), {}, c);
    matmul(cpu_context(), Tensor({4, 2, 0}), Tensor({4, 0, 3}), {}, batch);
    EXPECT_EQ(test_support::norm(c) + test_support::norm(batch), 0.0);
    Tensor no_rows({0, 3}), no_products({0, 2, 3});
    matmul(cpu_context(), Tensor({0, 5}), Tensor({5, 3}), {}, no_rows);
    matmul(cpu_context(), Tensor({0, 2, 5}), Tensor({0, 5, 3}), {}, no_products);
  }
}

TEST(Matmul, SteadyStateAllocatesNothing) {
  const Tensor a = full({2, 49, 256}, 0.5);
  Tensor c({2, 49, 49});
  const auto step = [&] { matmul(cpu_context(), a, a, {.transpose_b = true}, c); };
  step();
  [[maybe_unused]] const int64_t asked = allocator_of(kCpu).stats().system_allocations;
  step();
#ifndef __SANITIZE_ADDRESS__
  EXPECT_EQ(allocator_of(kCpu).stats().system_allocations, asked);
#endif
}

TEST(Matmul, RefusesWhatDoesNotFit) {
  EXPECT_THROW(matmul_output_shape({2, 3}, {4, 5}, {}), Error);
  EXPECT_THROW(matmul_output_shape({2, 3}, {3}, {}), Error);
  EXPECT_THROW(matmul_output_shape({2, 3, 4}, {3, 4, 5}, {}), Error);
  EXPECT_EQ(matmul_output_shape({2, 3}, {5, 3}, {.transpose_b = true}), (Shape{2, 5}));
  Tensor c({3, 3});
  EXPECT_THROW(matmul(cpu_context(), full({2, 3}, 1.0), full({3, 3}, 1.0), {}, c), Error);
}

}  // namespace
}  // namespace engine
