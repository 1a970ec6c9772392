// Where a new network's parameters are stored and how their initial values are drawn.
#pragma once

#include "engine/random.h"
#include "engine/tensor.h"

namespace layers {

// Passed down through the constructors of a network. Parameters are drawn in the order of
// construction, so one seed always makes the same network.
struct Init {
  engine::Random random;
  engine::DType dtype = engine::DType::f32;
  engine::Device device = engine::kCpu;

  engine::Tensor normal(engine::Shape shape, double deviation);
  engine::Tensor uniform(engine::Shape shape, double bound);  // in [-bound, bound)
  engine::Tensor constant(engine::Shape shape, double value);
};

}  // namespace layers
