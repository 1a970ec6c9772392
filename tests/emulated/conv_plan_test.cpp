// Asks the real cuDNN for plans for devices that this machine does not have.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>

#include "engine/cuda/cudnn/plan.h"
#include "tests/cuda_emulation/cudnn/control.h"
#include "tests/support/conv_cases.h"
#include "tests/support/error_of.h"
#include "tests/support/network_convs.h"

namespace engine {
namespace {

using cuda_emulation::Gpu;

constexpr ConvDirection kDirections[] = {ConvDirection::forward, ConvDirection::backward_data,
                                         ConvDirection::backward_weights};
constexpr Gpu kGpus[] = {Gpu::a100, Gpu::h100};

class Handle {
 public:
  Handle() { check(cudnnCreate(&handle_)); }
  ~Handle() {
    cudnnDestroy(handle_);
    cuda_emulation::plan_for(Gpu::h100);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  cudnnHandle_t get() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};

// As --precision chooses.
struct Precision {
  const char* name;
  cudnnDataType_t type;
  bool tf32;
};
constexpr Precision kF32{"f32", CUDNN_DATA_FLOAT, false}, kTf32{"tf32", CUDNN_DATA_FLOAT, true},
    kBf16{"bf16", CUDNN_DATA_BFLOAT16, false}, kF16{"fp16", CUDNN_DATA_HALF, false};

ConvProblem problem_of(const test_support::NetworkConv& c, ConvDirection direction,
                       const Precision& precision) {
  return {.direction = direction,
          .type = precision.type,
          .x = c.x,
          .w = c.w,
          .options = c.options,
          .tf32 = precision.tf32};
}

bool noted(const ConvPlan& plan, cudnnBackendNumericalNote_t note) {
  return std::ranges::find(plan.notes, note) != plan.notes.end();
}

// A convolution from the middle of a ResNet, for which cuDNN has kernels of every kind.
const test_support::NetworkConv kMiddle{
    .x = {128, 128, 28, 28}, .w = {128, 128, 3, 3}, .options = {.padding = 1}};

TEST(CudnnPlan, ExactF32UsesNoTensorCores) {
  const Handle handle;
  for (const Gpu gpu : kGpus) {
    cuda_emulation::plan_for(gpu);
    for (const ConvDirection direction : kDirections) {
      const ConvProblem exact = problem_of(kMiddle, direction, kF32);
      for (const ConvPlan& plan : conv_plans(handle.get(), exact, 100)) {
        EXPECT_FALSE(noted(plan, CUDNN_NUMERICAL_NOTE_TENSOR_CORE)) << plan.engine;
      }
      // The same problem has such kernels, and the heuristics prefer them.
      const ConvProblem rounded = problem_of(kMiddle, direction, kTf32);
      EXPECT_TRUE(noted(conv_plans(handle.get(), rounded, 1)[0], CUDNN_NUMERICAL_NOTE_TENSOR_CORE));
    }
  }
}

TEST(CudnnPlan, NeverConvertsInputsDownOrSumsInASmallType) {
  const Handle handle;
  for (const Precision& precision : {kF32, kTf32, kBf16, kF16}) {
    for (const ConvDirection direction : kDirections) {
      const ConvProblem problem = problem_of(kMiddle, direction, precision);
      for (const ConvPlan& plan : conv_plans(handle.get(), problem, 100)) {
        EXPECT_FALSE(noted(plan, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS));
        EXPECT_FALSE(noted(plan, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION));
      }
    }
  }
}

TEST(CudnnPlan, DeterministicOnRequest) {
  const Handle handle;
  int64_t loose = 0;
  for (const ConvDirection direction : kDirections) {
    ConvProblem problem = problem_of(kMiddle, direction, kF32);
    const auto atomic = [](const ConvPlan& plan) {
      return noted(plan, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC);
    };
    loose += std::ranges::count_if(conv_plans(handle.get(), problem, 100), atomic);
    problem.deterministic = true;
    EXPECT_EQ(std::ranges::count_if(conv_plans(handle.get(), problem, 100), atomic), 0);
  }
  EXPECT_GT(loose, 0) << "cuDNN offers no nondeterministic plan, so the test shows nothing";
}

TEST(CudnnPlan, SkipsConfigurationsThatAreRefused) {
  const Handle handle;
  const ConvProblem problem = problem_of(kMiddle, ConvDirection::forward, kBf16);
  const size_t all = conv_plans(handle.get(), problem, 100).size();
  cuda_emulation::refuse_plans(3);
  EXPECT_EQ(conv_plans(handle.get(), problem, 100).size(), all - 3);
  cuda_emulation::refuse_plans(1000);
  EXPECT_EQ(test_support::error_of([&] { conv_plans(handle.get(), problem, 1); }),
            "cuDNN has no kernel for a convolution of [128,128,28,28] with weights "
            "[128,128,3,3], stride 1, padding 1, dilation 1, groups 1");
  cuda_emulation::refuse_plans(0);
}

TEST(CudnnPlan, EveryAwkwardConvolutionHasOne) {
  const Handle handle;
  for (const Gpu gpu : kGpus) {
    cuda_emulation::plan_for(gpu);
    for (const test_support::ConvCase& c : test_support::conv_cases()) {
      const test_support::NetworkConv conv{.x = c.x, .w = c.w, .options = c.options};
      for (const ConvDirection direction : kDirections) {
        for (const Precision& precision : {kF32, kTf32, kBf16, kF16}) {
          for (const int64_t alignment : {2, 4, 8, 16}) {
            ConvProblem problem = problem_of(conv, direction, precision);
            if (problem.type == CUDNN_DATA_FLOAT && alignment < 4) continue;
            problem.alignment = alignment;
            problem.deterministic = true;
            EXPECT_NO_THROW(conv_plans(handle.get(), problem, 1))
                << c.x << c.w << precision.name << alignment;
          }
        }
      }
    }
  }
}

// Returns the largest workspace of a network's convolutions. Prints a row of the table for each.
int64_t plan_network(cudnnHandle_t handle, const std::vector<test_support::NetworkConv>& convs,
                     const Precision& precision) {
  int64_t largest = 0;
  for (const test_support::NetworkConv& conv : convs) {
    std::printf("%-5s %2lldx [%4lld,%4lld,%3lld] -> %4lld  %lldx%lld /%lld ", precision.name,
                static_cast<long long>(conv.count), static_cast<long long>(conv.x[0]),
                static_cast<long long>(conv.x[1]), static_cast<long long>(conv.x[2]),
                static_cast<long long>(conv.w[0]), static_cast<long long>(conv.w[2]),
                static_cast<long long>(conv.w[3]), static_cast<long long>(conv.options.stride));
    for (const ConvDirection direction : kDirections) {
      if (direction == ConvDirection::backward_data && !conv.needs_dx) {
        std::printf("%17s", "-");
        continue;
      }
      const std::vector<ConvPlan> plans =
          conv_plans(handle, problem_of(conv, direction, precision), 1);
      largest = std::max(largest, plans[0].workspace_bytes);
      std::printf("  e%-3lld %7.1f MiB", static_cast<long long>(plans[0].engine),
                  static_cast<double>(plans[0].workspace_bytes) / (1 << 20));
    }
    std::printf("\n");
  }
  return largest;
}

// Every convolution of the networks at the published sizes: 224 pixels, two views of 128 images per
// GPU. Prints cuDNN's engine and its workspace for y, dx and dw.
TEST(CudnnPlan, EveryConvolutionOfTheNetworksHasOne) {
  constexpr int64_t kRows = 2 * 128, kMostWorkspace = int64_t{2} << 30;
  const Handle handle;
  for (const char* arch : {"resnet18", "resnet50", "resnet101"}) {
    const auto convs = test_support::network_convs(arch, 224, kRows);
    ASSERT_GE(convs.size(), 14U);
    for (const Gpu gpu : kGpus) {
      cuda_emulation::plan_for(gpu);
      std::printf("\n%s on %s\n%-43s %14s %16s %16s\n", arch, gpu == Gpu::a100 ? "A100" : "H100",
                  "type  count, x, channels, kernel, stride", "y", "dx", "dw");
      for (const Precision& precision : {kF32, kTf32, kBf16}) {
        EXPECT_LE(plan_network(handle.get(), convs, precision), kMostWorkspace);
      }
    }
  }
}

}  // namespace
}  // namespace engine
