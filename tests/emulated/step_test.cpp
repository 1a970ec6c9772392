// Properties of training steps that only an emulated device shows.
#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "pixpro/train/trainer.h"
#include "tests/cuda_emulation/control.h"
#include "tests/emulated/waits.h"
#include "tests/support/cuda.h"
#include "tests/support/training.h"

namespace pixpro {
namespace {

using cuda_emulation::call_count;
using engine::DType;
using test_support::all_weights;
using test_support::Batch;
using test_support::kCuda;
using test_support::small_training;
using test_support::training_batch;
using test_support::waits_and_allocations;

TEST(CudaStep, GivesTheSameBitsInAnyOrderOfThreads) {
  SKIP_WITHOUT_CUDA();
  std::vector<std::vector<double>> runs;
  for (const auto order : {cuda_emulation::Order::forward, cuda_emulation::Order::reverse}) {
    cuda_emulation::options().order = order;
    Trainer trainer(small_training(DType::f32, kCuda));
    for (int step = 0; step < 2; ++step) {
      const Batch batch = training_batch(2, 64, "views" + std::to_string(step));
      trainer.step(batch.views, batch.boxes);
    }
    runs.push_back(all_weights(trainer));
  }
  cuda_emulation::options().order = cuda_emulation::Order::forward;
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(CudaStep, NeitherWaitsForTheDeviceNorAllocates) {
  SKIP_WITHOUT_CUDA();
  Trainer trainer(small_training(DType::f16, kCuda));
  const Batch batch = training_batch(2, 64);
  for (int step = 0; step < 2; ++step)
    trainer.step(batch.views, batch.boxes);  // makes plans and buffers
  const int64_t before = waits_and_allocations(), events = call_count("cudaEventSynchronize");
  trainer.start_step(batch.views, batch.boxes);
  trainer.start_step(batch.views, batch.boxes);
  // Only for the pinned memory of the step before the last: batch and numbers, in two steps.
  EXPECT_EQ(call_count("cudaEventSynchronize") - events, 4);
  trainer.finish_step();
  trainer.finish_step();
  EXPECT_EQ(waits_and_allocations(), before);
}

}  // namespace
}  // namespace pixpro
