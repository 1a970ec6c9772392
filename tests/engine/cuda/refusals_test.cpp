// The kernels of both devices refuse the same arguments, in the same words.
#include <gtest/gtest.h>

#include <string>

#include "engine/kernels/conv.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/norm.h"
#include "engine/kernels/optimizer_update.h"
#include "engine/kernels/pointwise.h"
#include "engine/kernels/pool.h"
#include "tests/support/cuda.h"

namespace engine {
namespace {

using test_support::kCuda;

// Makes tensors on the device of a kernel.
struct On {
  Device device;
  Tensor operator()(const Shape& shape, DType dtype = DType::f32) const {
    return Tensor(shape, dtype, device);
  }
};

// The message of the error that call(context, on) throws, or "" if it throws none. Tensors of
// both devices are called "here".
template <class Call>
std::string refusal(Device device, const Call& call) {
  try {
    on_device(device, [&](auto& ctx) { call(ctx, On{device}); });
  } catch (const Error& error) {
    std::ostringstream name;
    name << device;
    std::string text = error.what();
    for (size_t at = 0; (at = text.find(name.str(), at)) != std::string::npos;) {
      text.replace(at, name.str().size(), "here");
    }
    return text;
  }
  return "";
}

template <class Call>
void expect_refusal(const std::string& message, const Call& call) {
  EXPECT_EQ(refusal(kCpu, call), message);
  EXPECT_EQ(refusal(kCuda, call), message);
}

TEST(CudaRefusals, OfConvolutionAndMatrixProduct) {
  SKIP_WITHOUT_CUDA();
  const auto forward = [](const Shape& output, DType type, const Shape& bias) {
    return [=](auto& ctx, On on) {
      Tensor y = on(output);
      conv2d_forward(ctx, on({1, 3, 4, 4}), on({5, 3, 1, 1}, type), on(bias), {}, y);
    };
  };
  expect_refusal("conv2d: expected the output [1,5,4,4], found [1,5,4,3]",
                 forward({1, 5, 4, 3}, DType::f32, {5}));
  expect_refusal("conv2d: expected one type, found f32, f64 and f32",
                 forward({1, 5, 4, 4}, DType::f64, {5}));
  expect_refusal("conv2d: expected a bias f32 [5], found f32 [4] plain here",
                 forward({1, 5, 4, 4}, DType::f32, {4}));
  const auto product = [](const Shape& output, DType type) {
    return [=](auto& ctx, On on) {
      Tensor c = on(output);
      matmul(ctx, on({2, 3}), on({3, 4}, type), {}, c);
    };
  };
  expect_refusal("matmul: expected the output [2,4], found [2,5]", product({2, 5}, DType::f32));
  expect_refusal("matmul: expected one type, found f32, f64 and f32", product({2, 4}, DType::f64));
}

TEST(CudaRefusals, OfPooling) {
  SKIP_WITHOUT_CUDA();
  expect_refusal(
      "max_pool2d: f32 [1,2,4,4] plain here does not pool to f32 [1,2,3,2] plain here with winners "
      "u8 [1,2,2,2] plain here",
      [](auto& ctx, On on) {
        Tensor y = on({1, 2, 3, 2}), winner = on({1, 2, 2, 2}, DType::u8);
        max_pool2d_forward(ctx, on({1, 2, 4, 4}), {}, y, winner);
      });
  expect_refusal(
      "global_average_pool backward: expected [N,C,H,W] and [N,C] of one type, found f32 [1,2,4,4] "
      "plain here and f32 [1,3] plain here",
      [](auto& ctx, On on) {
        Tensor dx = on({1, 2, 4, 4});
        global_average_pool_backward(ctx, on({1, 3}), dx);
      });
}

TEST(CudaRefusals, OfNormalisation) {
  SKIP_WITHOUT_CUDA();
  const auto statistics = [](const Shape& x, const Shape& table) {
    return [=](auto& ctx, On on) {
      Tensor moments = on(table, DType::f64);
      batch_norm_statistics(ctx, on(x), moments);
    };
  };
  expect_refusal("batch_norm statistics: a batch of 3 does not split into 2 parts",
                 statistics({3, 4, 2, 2}, {2, 2, 4}));
  expect_refusal(
      "batch_norm statistics: expected statistics f64 [parts,2,C] for x f32 [2,4,2,2] plain here, "
      "found f64 [1,2,5] plain here",
      statistics({2, 4, 2, 2}, {1, 2, 5}));
  expect_refusal("batch_norm statistics: x f32 [0,4,2,2] plain here has no values",
                 statistics({0, 4, 2, 2}, {1, 2, 4}));
  expect_refusal("batch_norm: expected running estimates [4], found [4] and [3]",
                 [](auto& ctx, On on) {
                   Tensor mean = on({4}), var = on({3});
                   batch_norm_update_running(ctx, on({1, 2, 4}, DType::f64), {}, mean, var);
                 });
  expect_refusal(
      "batch_norm backward: expected a tensor f32 [2,4] plain here, found f32 [2,3] plain here",
      [](auto& ctx, On on) {
        const Tensor x = on({2, 4}), moments = on({1, 2, 4}, DType::f64), c = on({4}), none;
        Tensor sums = on({1, 2, 4}, DType::f64), dx = on({2, 4}), dresidual = on({2, 3});
        batch_norm_backward(ctx, {x, x, none, moments, c, c, {}}, 2, sums, dx, dresidual);
      });
  expect_refusal(
      "l2_normalize: expected norms f32 [2,9] for x f32 [2,4,3,3] plain here, found f32 "
      "[2,8] plain here",
      [](auto& ctx, On on) {
        Tensor y = on({2, 4, 3, 3}), norms = on({2, 8});
        l2_normalize_forward(ctx, on({2, 4, 3, 3}), y, norms);
      });
}

TEST(CudaRefusals, OfPointwiseKernelsAndTheUpdate) {
  SKIP_WITHOUT_CUDA();
  expect_refusal("add: expected a tensor f32 [2] plain here, found f32 [3] plain here",
                 [](auto& ctx, On on) {
                   Tensor y = on({2});
                   add(ctx, on({2}), on({3}), y);
                 });
  expect_refusal(
      "copy: expected one shape, type and layout, found f32 [2] plain here and f32 [3] plain here",
      [](auto& ctx, On on) {
        Tensor y = on({3});
        copy(ctx, on({2}), y);
      });
  expect_refusal(
      "convert: expected one shape and one device, found f32 [2] plain here and f64 [3] plain here",
      [](auto& ctx, On on) {
        Tensor y = on({3}, DType::f64);
        convert(ctx, on({2}), y);
      });
  expect_refusal("add_bias: expected x [M,N] and bias [N], found [2,3] and [2]",
                 [](auto& ctx, On on) {
                   Tensor y = on({2, 3});
                   add_bias(ctx, on({2, 3}), on({2}), y);
                 });
  expect_refusal("sgd: expected a tensor f32 [2] plain here, found f32 [3] plain here",
                 [](auto& ctx, On on) {
                   std::vector<ParameterUpdate> updates = {
                       {.parameter = on({2}), .gradient = on({2}), .momentum = on({3})}};
                   sgd_update(ctx, updates, {});
                 });
}

TEST(CudaRefusals, OfF64WhichOnlyTheCpuComputesIn) {
  SKIP_WITHOUT_CUDA();
  const auto relu = [](auto& ctx, On on) {
    Tensor x = on({2, 3}, DType::f64);
    relu_forward(ctx, x, x);
  };
  EXPECT_EQ(refusal(kCpu, relu), "");
  EXPECT_EQ(refusal(kCuda, relu),
            "cuda: expected f32, bf16 or f16, found f64; only the CPU computes in f64");
}

}  // namespace
}  // namespace engine
