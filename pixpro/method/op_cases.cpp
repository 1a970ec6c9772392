#include "pixpro/method/op_cases.h"

#include <sstream>

#include "engine/tensor_ops.h"
#include "pixpro/method/heads.h"
#include "pixpro/method/losses.h"

namespace pixpro {
namespace {

using autograd::OpCase;
using Inputs = std::vector<Var>;

Init random_numbers(uint32_t stream, engine::DType dtype = engine::DType::f64,
                    engine::Device device = engine::kCpu) {
  return {engine::Random(stream), dtype, device};
}

// Moves the boxes to the device of the case's inputs.
PixelPairs beside(const Inputs& inputs, PixelPairs pairs) {
  pairs.boxes_q = to_device(pairs.boxes_q, inputs.front().value().device());
  pairs.boxes_k = to_device(pairs.boxes_k, inputs.front().value().device());
  return pairs;
}

// Boxes of 3 pairs of views. The views of the last pair do not overlap, those of the others do.
PixelPairs example_pairs(PixelGrid grid) {
  return {.boxes_q = engine::from_values<double>({3, 4}, {0.1, 0.2, 0.7, 0.8,  //
                                                          0.9, 0.0, 0.3, 0.6,  //
                                                          0.0, 0.0, 0.1, 0.1}),
          .boxes_k = engine::from_values<double>({3, 4}, {0.2, 0.1, 0.8, 0.9,  //
                                                          0.4, 0.1, 1.0, 0.5,  //
                                                          0.8, 0.8, 1.0, 1.0}),
          .grid = grid,
          .pos_ratio = 0.7};
}

void add_loss_cases(std::vector<OpCase>& cases) {
  const PixelPairs pairs = example_pairs({2, 3});
  Init random = random_numbers(31);
  const Tensor similarity = random.uniform({3, 6, 6}, 1.0);
  cases.push_back({"pixpro_loss", {similarity}, [pairs](const Inputs& in) {
                     Tensor images;
                     return pixpro_loss(in[0], beside(in, pairs), images);
                   }});
  cases.push_back({"pixcontrast_loss", {similarity}, [pairs](const Inputs& in) {
                     Tensor images;
                     return pixcontrast_loss(in[0], beside(in, pairs), 0.3, images);
                   }});
  const Tensor fixed = random.uniform({3, 5}, 1.0);
  cases.push_back({"mean_dot", {random.uniform({3, 5}, 1.0)}, [fixed](const Inputs& in) {
                     return mean_dot(in[0], autograd::beside(in, fixed));
                   }});
}

void add_propagation_case(std::vector<OpCase>& cases, const PropagationOptions& options) {
  std::ostringstream name;
  name << "propagation p " << options.power << " clamp " << options.clamp << " layers "
       << options.transform_layers;
  Init random = random_numbers(33);
  cases.push_back({name.str(), {random.uniform({2, 4, 2, 3}, 1.0)}, [options](const Inputs& in) {
                     const Tensor& x = in[0].value();
                     Init init = random_numbers(32, x.dtype(), x.device());
                     Propagation module(4, options, init);
                     return module.forward(in[0], {.training = true, .parts = 2});
                   }});
}

}  // namespace

std::vector<OpCase> method_op_cases() {
  std::vector<OpCase> cases;
  add_loss_cases(cases);
  add_propagation_case(cases, {.power = 2.0, .clamp = 0.0, .transform_layers = 1});
  add_propagation_case(cases, {.power = 1.0, .clamp = 0.0, .transform_layers = 0});
  add_propagation_case(cases, {.power = 0.5, .clamp = 0.1, .transform_layers = 2});
  add_propagation_case(cases, {.power = 3.0, .clamp = -0.5, .transform_layers = 0});
  return cases;
}

}  // namespace pixpro
