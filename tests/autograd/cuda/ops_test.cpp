// Tests autograd/ops/ on CUDA against the CPU in float64: the cases of the gradient check, and
// larger ones that need several blocks and whose extents leave tails.
#include "autograd/ops.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "tests/support/compare_devices.h"
#include "tests/support/cuda.h"
#include "tests/support/hashed.h"
#include "tests/support/op_case_name.h"

namespace autograd {

namespace {

using Inputs = std::vector<Var>;
using test_support::hashed_tensor;

OpCase large_batch_norm(const std::string& name, const Shape& shape, BatchNorm norm,
                        bool with_residual) {
  const int64_t channels = shape[1];
  std::vector<Tensor> inputs = {hashed_tensor("x", shape, 1.0, 0.3),
                                hashed_tensor("weight", {channels}, 0.5, 1.0),
                                hashed_tensor("bias", {channels})};
  if (with_residual) inputs.push_back(hashed_tensor("residual", shape));
  return {name, inputs, [norm, channels](const Inputs& in) {
            BatchNorm here = norm;
            here.weight = in[1], here.bias = in[2];
            here.running_mean = beside(in, engine::zeros({channels}));
            here.running_var = beside(in, engine::full({channels}, 1.0));
            return batch_norm(in[0], in.size() > 3 ? in[3] : Var(), here);
          }};
}

std::vector<OpCase> large_cases() {
  std::vector<OpCase> cases = {
      large_batch_norm("batch_norm of many rows", {4, 33, 23, 19}, {.parts = 2}, false),
      large_batch_norm("batch_norm of many channels", {6, 300, 3, 1}, {.parts = 3, .relu = true},
                       true),
      large_batch_norm("batch_norm of rows and columns", {70, 37}, {.relu = true}, false),
      // Channels that are read 16 bytes at a time: fewer than the threads of a block take, and
      // more.
      large_batch_norm("batch_norm of 8 channels", {4, 8, 23, 19}, {.parts = 2, .relu = true},
                       false),
      large_batch_norm("batch_norm of 328 channels", {6, 328, 7, 5}, {.parts = 2, .relu = true},
                       true),
      {"l2_normalize nhwc",
       {hashed_tensor("x", {3, 70, 5, 7})},
       [](const Inputs& in) { return l2_normalize(in[0]); }},
      {"l2_normalize plain",
       {hashed_tensor("x", {3, 70, 35})},
       [](const Inputs& in) { return l2_normalize(in[0]); }},
      {"max_pool2d of many windows",
       {hashed_tensor("x", {3, 17, 23, 19})},
       [](const Inputs& in) { return max_pool2d(in[0], {.size = 3, .stride = 2, .padding = 1}); }},
      {"max_pool2d of 16 channels",
       {hashed_tensor("x", {3, 16, 23, 19})},
       [](const Inputs& in) { return max_pool2d(in[0], {.size = 3, .stride = 2, .padding = 1}); }},
      {"global_average_pool of many channels",
       {hashed_tensor("x", {3, 150, 7, 5})},
       [](const Inputs& in) { return global_average_pool(in[0]); }},
      {"flatten_pixels of many channels",
       {hashed_tensor("x", {2, 67, 7, 9})},
       [](const Inputs& in) { return flatten_pixels(in[0]); }},
      {"linear of many rows",
       {hashed_tensor("x", {37, 65}), hashed_tensor("w", {41, 65}), hashed_tensor("b", {41})},
       [](const Inputs& in) { return linear(in[0], in[1], in[2]); }},
      {"matmul of a batch",
       {hashed_tensor("a", {3, 65, 49}), hashed_tensor("b", {3, 65, 33})},
       [](const Inputs& in) { return matmul(in[0], in[1], {.transpose_a = true}); }},
  };
  return cases;
}

std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases = op_cases();
  for (OpCase& op : large_cases()) cases.push_back(std::move(op));
  return cases;
}

class CudaOp : public testing::TestWithParam<OpCase> {};

TEST_P(CudaOp, EqualsTheCpu) {
  SKIP_WITHOUT_CUDA();
  // f32 rounds to 6e-8; sums of hundreds of terms of either sign are off by about ten times that.
  const auto [distance, worst] =
      test_support::compare_with_cpu(GetParam(), DType::f32, test_support::kCuda);
  EXPECT_LE(distance, 2e-6) << worst;
}

// False for ops that never meet activations of mixed precision and refuse them.
bool takes_low_precision(const OpCase& op) {
  for (const char* exact : {"l2_normalize", "matmul", "linear"}) {
    if (op.name.starts_with(exact)) return false;
  }
  return true;
}

TEST_P(CudaOp, EqualsTheCpuInMixedPrecision) {
  SKIP_WITHOUT_CUDA();
  // Results are rounded once or twice, to 8 bits (bf16) or 11 bits (f16). To 8 bits, one rounding
  // is off by 2^-9 at most.
  for (const auto& [dtype, tolerance] : {std::pair(DType::bf16, 3e-3), {DType::f16, 4e-4}}) {
    const auto compare = [dtype = dtype] {
      return test_support::compare_with_cpu(GetParam(), dtype, test_support::kCuda);
    };
    if (!takes_low_precision(GetParam())) {
      EXPECT_THROW(compare(), engine::Error) << dtype << " is taken: drop the op from the list";
      continue;
    }
    const auto [distance, worst] = compare();
    EXPECT_LE(distance, tolerance) << dtype << ' ' << worst;
  }
}

INSTANTIATE_TEST_SUITE_P(All, CudaOp, testing::ValuesIn(all_cases()), test_support::op_case_name);

}  // namespace
}  // namespace autograd
