#include <cmath>

#include "autograd/grad_check.h"
#include "autograd/ops.h"
#include "engine/random.h"
#include "engine/tensor_ops.h"

namespace autograd {
namespace {

using Inputs = std::vector<Var>;

// Distinct values in (-1, 1) plus `shift`, each at least 1e-3 away from `shift`: 0 may be a kink.
Tensor values(const Shape& shape, uint64_t seed, double shift = 0.0) {
  engine::Random random(seed);
  std::vector<double> numbers(static_cast<size_t>(shape.elements()));
  for (double& number : numbers) {
    number = random.uniform(-1.0, 1.0);
    number += std::copysign(1e-3, number) + shift;
  }
  return engine::from_values(shape, numbers);
}

void add_conv_cases(std::vector<OpCase>& cases) {
  struct Case {
    const char* name;
    Shape x, w;
    engine::Conv2dOptions options;
  };
  const std::vector<Case> list = {
      {"conv2d 3x3", {2, 3, 5, 6}, {4, 3, 3, 3}, {.padding = 1}},
      {"conv2d 3x3 stride 2", {2, 3, 6, 5}, {4, 3, 3, 3}, {.stride = 2, .padding = 1}},
      {"conv2d 7x7 stride 2", {1, 3, 9, 8}, {2, 3, 7, 7}, {.stride = 2, .padding = 3}},
      {"conv2d 3x3 dilated", {1, 2, 7, 7}, {3, 2, 3, 3}, {.padding = 2, .dilation = 2}},
      {"conv2d 3x3 in 2 groups", {2, 4, 5, 5}, {6, 2, 3, 3}, {.padding = 1, .groups = 2}},
      {"conv2d 1x1", {2, 4, 3, 3}, {5, 4, 1, 1}, {}},
      {"conv2d 1x1 stride 2", {2, 4, 5, 5}, {3, 4, 1, 1}, {.stride = 2}},
  };
  for (const Case& c : list) {
    cases.push_back(
        {c.name,
         {values(c.x, 1), values(c.w, 2), values({c.w[0]}, 3)},
         [options = c.options](const Inputs& in) { return conv2d(in[0], in[1], in[2], options); }});
  }
}

void add_batch_norm_case(std::vector<OpCase>& cases, const char* name, BatchNorm settings,
                         bool with_residual) {
  const int64_t channels = 3;
  std::vector<Tensor> inputs = {values({4, channels, 2, 3}, 4), values({channels}, 5, 1.5),
                                values({channels}, 6)};
  if (with_residual) inputs.push_back(values({4, channels, 2, 3}, 7));
  cases.push_back({name, inputs, [settings](const Inputs& in) {
                     BatchNorm norm = settings;
                     norm.weight = in[1];
                     norm.bias = in[2];
                     norm.running_mean = beside(in, engine::zeros({channels}, DType::f64));
                     norm.running_var = beside(in, engine::full({channels}, 1.0, DType::f64));
                     return batch_norm(in[0], in.size() > 3 ? in[3] : Var(), norm);
                   }});
}

void add_norm_cases(std::vector<OpCase>& cases) {
  add_batch_norm_case(cases, "batch_norm", {}, false);
  add_batch_norm_case(cases, "batch_norm 2 parts", {.parts = 2}, false);
  add_batch_norm_case(cases, "batch_norm + residual", {}, true);
  add_batch_norm_case(cases, "batch_norm + residual + relu", {.parts = 2, .relu = true}, true);
  add_batch_norm_case(cases, "batch_norm + relu", {.relu = true}, false);
  add_batch_norm_case(cases, "batch_norm evaluation", {.training = false}, false);
  for (const Shape& shape : {Shape{2, 3, 2, 2}, Shape{2, 3, 4}, Shape{3, 5}}) {
    cases.push_back({"l2_normalize axes " + std::to_string(shape.axes()),
                     {values(shape, 8)},
                     [](const Inputs& in) { return l2_normalize(in[0]); }});
  }
}

void add_matmul_cases(std::vector<OpCase>& cases) {
  for (const bool ta : {false, true}) {
    for (const bool tb : {false, true}) {
      const Shape a = ta ? Shape{2, 4, 3} : Shape{2, 3, 4};
      const Shape b = tb ? Shape{2, 5, 4} : Shape{2, 4, 5};
      cases.push_back({std::string("matmul ") + (ta ? "a^T" : "a") + (tb ? " b^T" : " b"),
                       {values(a, 9), values(b, 10)},
                       [ta, tb](const Inputs& in) {
                         return matmul(in[0], in[1], {ta, tb});
                       }});
    }
  }
  cases.push_back({"matmul x^T x", {values({2, 3, 4}, 11)}, [](const Inputs& in) {
                     return matmul(in[0], in[0], {.transpose_a = true});
                   }});
  cases.push_back({"linear",
                   {values({3, 4}, 12), values({2, 4}, 13), values({2}, 14)},
                   [](const Inputs& in) { return linear(in[0], in[1], in[2]); }});
}

void add_pointwise_cases(std::vector<OpCase>& cases) {
  const Shape shape{2, 3, 4, 3};
  cases.push_back({"relu", {values(shape, 15)}, [](const Inputs& in) { return relu(in[0]); }});
  cases.push_back({"add", {values(shape, 16), values(shape, 17)}, [](const Inputs& in) {
                     return add(in[0], in[1]);
                   }});
  cases.push_back({"add (u + v) + u", {values(shape, 18), values(shape, 19)}, [](const Inputs& in) {
                     return add(add(in[0], in[1]), in[0]);
                   }});
  cases.push_back(
      {"scale", {values(shape, 20)}, [](const Inputs& in) { return scale(in[0], -2.5); }});
  cases.push_back({"flatten_pixels", {values(shape, 21)}, [](const Inputs& in) {
                     return flatten_pixels(in[0]);
                   }});
  const std::vector<engine::ClampPower> powers = {
      {0.0, 2.0, 0.0}, {0.0, 1.0, 0.0}, {0.1, 0.5, 1e-6}, {-0.5, 3.0, 0.0}, {0.2, 2.0, 0.0}};
  for (const engine::ClampPower& options : powers) {
    std::ostringstream name;
    name << "clamp_power low " << options.low << " power " << options.power;
    cases.push_back({name.str(), {values(shape, 22)}, [options](const Inputs& in) {
                       return clamp_power(in[0], options);
                     }});
  }
}

void add_pool_cases(std::vector<OpCase>& cases) {
  cases.push_back({"max_pool2d 3x3 stride 2", {values({2, 3, 7, 6}, 23)}, [](const Inputs& in) {
                     return max_pool2d(in[0], {.size = 3, .stride = 2, .padding = 1});
                   }});
  cases.push_back({"max_pool2d 2x2", {values({2, 2, 4, 4}, 24)}, [](const Inputs& in) {
                     return max_pool2d(in[0], {});
                   }});
  cases.push_back({"global_average_pool", {values({2, 3, 3, 4}, 25)}, [](const Inputs& in) {
                     return global_average_pool(in[0]);
                   }});
}

}  // namespace

std::vector<OpCase> op_cases() {
  std::vector<OpCase> cases;
  add_conv_cases(cases);
  add_norm_cases(cases);
  add_matmul_cases(cases);
  add_pointwise_cases(cases);
  add_pool_cases(cases);
  return cases;
}

}  // namespace autograd
