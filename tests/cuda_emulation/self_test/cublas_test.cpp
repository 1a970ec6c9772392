// The emulated cuBLAS: right products, and findings for wrong calls that the real library would
// answer with wrong numbers.
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <cmath>

#include "tests/cuda_emulation/self_test/support.h"

namespace cuda_emulation {
namespace {

class CublasTest : public EmulationTest {
 protected:
  CublasTest() { EXPECT_EQ(cublasCreate(&handle_), CUBLAS_STATUS_SUCCESS); }
  ~CublasTest() override { cublasDestroy(handle_); }

  struct Call {
    bool transpose_a = false, transpose_b = false;
    int m = 3, n = 4, k = 5, batch = 2;
    int a_leading = 3, b_leading = 5, c_leading = 3;
    int a_stride = 15, b_stride = 20, c_stride = 12;
    float alpha = 1.0f, beta = 0.0f;
  };

  cublasStatus_t multiply(const Call& p, const float* a, const float* b, float* c) {
    float alpha = p.alpha, beta = p.beta;
    const auto op = [](bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; };
    const cublasStatus_t status = cublasGemmStridedBatchedEx(
        handle_, op(p.transpose_a), op(p.transpose_b), p.m, p.n, p.k, &alpha, a, CUDA_R_32F,
        p.a_leading, p.a_stride, b, CUDA_R_32F, p.b_leading, p.b_stride, &beta, c, CUDA_R_32F,
        p.c_leading, p.c_stride, p.batch, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
    alpha = beta = NAN;  // they were read during the call
    return status;
  }

  cublasHandle_t handle_ = nullptr;
};

TEST_F(CublasTest, ProductsOfABatchInEveryOrientation) {
  const std::vector<float> a = counted(30), b = counted(40);
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Call p{.transpose_a = ta,
                   .transpose_b = tb,
                   .a_leading = ta ? 5 : 3,
                   .b_leading = tb ? 4 : 5,
                   .alpha = 0.5f,
                   .beta = 2.0f};
      const DeviceFloats da(a), db(b), c(counted(24));
      ASSERT_EQ(multiply(p, da.data(), db.data(), c.data()), CUBLAS_STATUS_SUCCESS);
      const std::vector<float> result = c.values();
      for (size_t q = 0; q < 2; ++q) {
        for (size_t i = 0; i < 3; ++i) {
          for (size_t j = 0; j < 4; ++j) {
            float sum = 0.0f;
            for (size_t l = 0; l < 5; ++l) {
              sum += a[15 * q + (ta ? 5 * i + l : 3 * l + i)] *
                     b[20 * q + (tb ? 4 * l + j : 5 * j + l)];
            }
            const size_t at = 12 * q + 3 * j + i;
            EXPECT_EQ(result[at], 0.5f * sum + 2.0f * static_cast<float>(at));
          }
        }
      }
    }
  }
}

TEST_F(CublasTest, WithoutBetaTheOldResultIsNotRead) {
  const DeviceFloats a(counted(30)), b(counted(40)), c(24);
  ASSERT_EQ(multiply({}, a.data(), b.data(), c.data()), CUBLAS_STATUS_SUCCESS);
  for (const float value : c.values()) EXPECT_FALSE(std::isnan(value));
}

TEST_F(CublasTest, LowPrecisionIsSummedInF32AndRoundedOnce) {
  const std::vector<__nv_bfloat16> ones(300, __float2bfloat16(1.0f));
  void *x = nullptr, *c = nullptr;
  ASSERT_EQ(cudaMalloc(&x, 600), cudaSuccess);
  ASSERT_EQ(cudaMalloc(&c, 2), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(x, ones.data(), 600, cudaMemcpyHostToDevice), cudaSuccess);
  const float alpha = 1.0f, beta = 0.0f;
  ASSERT_EQ(
      cublasGemmStridedBatchedEx(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 300, &alpha, x,
                                 CUDA_R_16BF, 1, 0, x, CUDA_R_16BF, 300, 0, &beta, c, CUDA_R_16BF,
                                 1, 0, 1, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
      CUBLAS_STATUS_SUCCESS);
  __nv_bfloat16 sum;
  ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  ASSERT_EQ(cudaMemcpy(&sum, c, 2, cudaMemcpyDeviceToHost), cudaSuccess);
  EXPECT_EQ(__bfloat162float(sum), 300.0f);  // summed in bf16 it would stop at 256
  cudaFree(x);
  cudaFree(c);
}

TEST_F(CublasTest, WrongLeadingDimensions) {
  const DeviceFloats a(counted(30)), b(counted(40)), c(24);
  EXPECT_EQ(multiply({.a_leading = 2}, a.data(), b.data(), c.data()), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_NE(only_finding().find("leading dimension 2 is less than the 3 rows"), std::string::npos);
  // Large enough, but not those of the memory: the last column is outside.
  EXPECT_NE(multiply({.b_leading = 6}, a.data(), b.data(), c.data()), CUBLAS_STATUS_SUCCESS);
  EXPECT_NE(only_finding().find("matrix B"), std::string::npos);
  EXPECT_NE(multiply({.c_leading = 4}, a.data(), b.data(), c.data()), CUBLAS_STATUS_SUCCESS);
  EXPECT_NE(only_finding().find("overlap"), std::string::npos);
}

TEST_F(CublasTest, MatricesInHostMemory) {
  const std::vector<float> a = counted(30);
  const DeviceFloats b(counted(40)), c(24);
  EXPECT_NE(multiply({}, a.data(), b.data(), c.data()), CUBLAS_STATUS_SUCCESS);
  EXPECT_NE(only_finding().find("matrix A"), std::string::npos);
}

}  // namespace
}  // namespace cuda_emulation
