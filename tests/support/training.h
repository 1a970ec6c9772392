// A small network and batches for tests of training steps.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pixpro/train/trainer.h"

namespace test_support {

// A ResNet-18 with narrow heads.
pixpro::TrainerOptions small_training(engine::DType precision = engine::DType::f32,
                                      engine::Device device = engine::kCpu);

// Sets all weights to hashed_init's, and the momentum encoder to a copy of the online one. Every
// trained parameter then has a gradient. In a fresh model most have none: each residual branch ends
// in a BN weight of 0. So a test that compares gradients begins with this.
void use_weights_with_gradients(pixpro::Trainer& trainer);

// The gradients of all trained parameters by name, times `scale`: f64, on the CPU. Fails the test
// if a parameter has none, that is, if all its values are 0.
using Gradients = std::map<std::string, engine::Tensor>;
Gradients gradients_of(pixpro::Trainer& trainer, double scale = 1.0);

// The gradient that is farthest from the expected one of its name, and their distance (golden.h).
// The scale is at least 1e-3 of the norm of all gradients, for those that are 0 in exact
// arithmetic.
struct Farthest {
  double distance = 0.0;
  std::string name;
};
Farthest farthest(const Gradients& found, const Gradients& expected);

struct Batch {
  engine::Tensor views, boxes;
};
// Views of `size` x `size` pixels, determined by `name`, with overlapping boxes.
Batch training_batch(int64_t images, int64_t size, const std::string& name = "views");

// The values of all parameters and buffers, concatenated.
std::vector<double> all_weights(pixpro::Trainer& trainer);

}  // namespace test_support
