// The paper model of a step (tests/paper_model) launches as many kernels as a step that runs. A
// kernel that the model leaves out would make its figures describe another program.
#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "pixpro/train/trainer.h"
#include "tests/cuda_emulation/control.h"
#include "tests/paper_model/step_work.h"
#include "tests/support/cuda.h"

namespace pixpro {
namespace {

using cuda_emulation::call_count;

// The project's kernels and those of the libraries.
int64_t kernels_started() {
  int64_t count = 0;
  for (const char* function :
       {"cudaLaunchKernelExC", "cudnnBackendExecute", "cublasGemmStridedBatchedEx"}) {
    count += call_count(function);
  }
  return count;
}

TEST(PaperModel, CountsTheLaunchesOfAStep) {
  constexpr int64_t kSize = 64;
  double expected = 0.0;
  for (const paper_model::Kernel& kernel :
       paper_model::step_work({"resnet18", kSize, 1, paper_model::Precision::bf16})) {
    expected += static_cast<double>(kernel.launches);
  }
  TrainerOptions options;
  options.model = {.arch = "resnet18"};
  options.schedule = {.base = 0.1, .total_steps = 10};
  options.precision = engine::DType::bf16;
  options.device = test_support::kCuda;
  Trainer trainer(options);
  const engine::Tensor views = engine::full({2, 3, kSize, kSize}, 0.5);
  const engine::Tensor boxes =
      engine::from_values<double>({2, 4}, {0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0});
  trainer.step({views, boxes});  // makes plans
  const int64_t before = kernels_started();
  trainer.step({views, boxes});
  const auto found = static_cast<double>(kernels_started() - before);
  // The model may leave out kernels for single numbers (loss, flags, metrics): 5 % of all launches.
  EXPECT_NEAR(found, expected, 0.05 * expected);
}

}  // namespace
}  // namespace pixpro
