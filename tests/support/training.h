// A small network and batches for tests of training steps.
#pragma once

#include <string>
#include <vector>

#include "pixpro/train/trainer.h"

namespace test_support {

// A ResNet-18 with narrow heads.
pixpro::TrainerOptions small_training(engine::DType precision = engine::DType::f32,
                                      engine::Device device = engine::kCpu);

struct Batch {
  engine::Tensor views, boxes;
};
// Views of `size` x `size` pixels, determined by `name`, with overlapping boxes.
Batch training_batch(int64_t images, int64_t size, const std::string& name = "views");

// The values of all parameters and buffers, concatenated.
std::vector<double> all_weights(pixpro::Trainer& trainer);

}  // namespace test_support
