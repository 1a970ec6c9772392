// A training step gives the same bits, whatever the order in which the threads of its kernels run.
#include <gtest/gtest.h>

#include "pixpro/train/trainer.h"
#include "tests/cuda_emulation/control.h"
#include "tests/support/cuda.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using engine::DType;
using test_support::Batch;
using test_support::kCuda;

TEST(CudaStep, GivesTheSameBitsInAnyOrderOfThreads) {
  const cuda_emulation::Options before = cuda_emulation::options();
  std::vector<std::vector<double>> runs;
  for (const auto order : {cuda_emulation::Order::forward, cuda_emulation::Order::reverse}) {
    cuda_emulation::options().order = order;
    Trainer trainer(test_support::small_training(DType::f32, kCuda));
    test_support::use_weights_with_gradients(trainer);
    for (int step = 0; step < 2; ++step) {
      const Batch batch = test_support::training_batch(2, 33, "views" + std::to_string(step));
      trainer.step({batch.views, batch.boxes});
    }
    runs.push_back(test_support::all_weights(trainer));
  }
  cuda_emulation::options() = before;
  EXPECT_EQ(runs[0], runs[1]);
}

}  // namespace
}  // namespace pixpro
