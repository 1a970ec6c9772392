// Training steps on the emulated device: what only an emulation shows.
#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "pixpro/train/trainer.h"
#include "tests/cuda_emulation/control.h"
#include "tests/support/cuda.h"
#include "tests/support/hashed.h"

namespace pixpro {
namespace {

using cuda_emulation::call_count;
using engine::DType;
using test_support::kCuda;

TrainerOptions small_options(DType precision = DType::f32, engine::Device device = kCuda) {
  TrainerOptions options;
  options.model = {.arch = "resnet18", .hidden_channels = 32, .out_channels = 16};
  options.schedule = {.base = 0.1, .total_steps = 10};
  options.precision = precision;
  options.device = device;
  return options;
}

struct Batch {
  Tensor views, boxes;
};

Batch batch_of(int64_t images, const std::string& name = "views") {
  Tensor boxes({2 * images, 4}, DType::f64);
  for (int64_t i = 0; i < boxes.elements(); ++i) {
    boxes.data<double>()[i] = i % 4 < 2 ? 0.05 * static_cast<double>(i % 3) : 0.8;
  }
  return {test_support::hashed_tensor(name, {2 * images, 3, 64, 64}, 1.7, 0.0, 0, DType::f32),
          boxes};
}

std::vector<double> all_weights(Trainer& trainer) {
  std::vector<double> all;
  for (const layers::NamedTensor& t : state_of(trainer.model())) {
    const std::vector<double> values = engine::to_values(t.tensor);
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

TEST(CudaStep, GivesTheSameBitsInWhateverOrderThreadsRun) {
  SKIP_WITHOUT_CUDA();
  std::vector<std::vector<double>> runs;
  for (const auto order : {cuda_emulation::Order::forward, cuda_emulation::Order::reverse}) {
    cuda_emulation::options().order = order;
    Trainer trainer(small_options());
    for (int step = 0; step < 2; ++step) {
      const Batch batch = batch_of(2, "views" + std::to_string(step));
      trainer.step(batch.views, batch.boxes);
    }
    runs.push_back(all_weights(trainer));
  }
  cuda_emulation::options().order = cuda_emulation::Order::forward;
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(CudaStep, NeitherWaitsForTheDeviceNorAllocates) {
  SKIP_WITHOUT_CUDA();
  Trainer trainer(small_options(DType::f16));
  const Batch batch = batch_of(2);
  for (int step = 0; step < 2; ++step) trainer.step(batch.views, batch.boxes);  // plans, buffers
  const auto waits = [] {
    int64_t count = 0;
    for (const char* name : {"cudaMalloc", "cudaFree", "cudaHostAlloc", "cudaFreeHost",
                             "cudaDeviceSynchronize", "cudaStreamSynchronize", "cudaMemcpy"}) {
      count += call_count(name);
    }
    return count;
  };
  const int64_t before = waits(), events = call_count("cudaEventSynchronize");
  trainer.start_step(batch.views, batch.boxes);
  trainer.start_step(batch.views, batch.boxes);
  // For the pinned memory of the step before the last alone: batch and numbers.
  EXPECT_EQ(call_count("cudaEventSynchronize") - events, 4);
  trainer.finish_step();
  trainer.finish_step();
  EXPECT_EQ(waits(), before);
}

}  // namespace
}  // namespace pixpro
