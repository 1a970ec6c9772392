// Winograd's kernels round more coarsely than direct ones. Tests that training does not suffer: a
// small network learns the outputs of a fixed one with both kinds.
#include "tests/support/conv_policy.h"

#include <gtest/gtest.h>

#include <numeric>

#include "autograd/tape.h"
#include "engine/tensor_ops.h"
#include "layers/nn/basic.h"
#include "layers/optim/sgd.h"
#include "tests/support/hashed.h"

namespace layers {
namespace {

using engine::ConvPolicy;

class SmallNet : public Module {
 public:
  explicit SmallNet(Init& init)
      : conv1_(settings(16, 32), init),
        conv2_(settings(32, 32), init),
        conv3_(settings(32, 16), init),
        norm1_(32, init),
        norm2_(32, init) {
    add_child("conv1", conv1_);
    add_child("norm1", norm1_);
    add_child("conv2", conv2_);
    add_child("norm2", norm2_);
    add_child("conv3", conv3_);
  }
  Var forward(const Var& x) {
    const Var a = norm1_.forward(conv1_.forward(x), {}, {.relu = true});
    return conv3_.forward(norm2_.forward(conv2_.forward(a), {}, {.relu = true}));
  }

 private:
  static Conv2dSettings settings(int64_t in, int64_t out) {
    return {.in = in, .out = out, .kernel = 3, .options = {.padding = 1}};
  }
  Conv2d conv1_, conv2_, conv3_;
  BatchNorm2d norm1_, norm2_;
};

Init init_with(uint64_t seed) { return {engine::Random(seed), DType::f32, engine::kCpu}; }

Tensor images(int64_t number) {
  const Tensor plain = test_support::hashed_tensor("images" + std::to_string(number),
                                                   {8, 16, 12, 12}, 1.0, 0.0, 0, DType::f32);
  return to_layout(plain, engine::activation_layout(engine::kCpu, DType::f32, 16));
}

// The mean squared distance to the teacher's outputs at each step.
std::vector<double> train(ConvPolicy policy, int64_t steps) {
  const test_support::WithConvPolicy chosen(policy);
  Init teacher_init = init_with(1), student_init = init_with(2);
  SmallNet teacher(teacher_init), student(student_init);
  Sgd optimizer(student.parameters(), {.lars = false});
  std::vector<double> losses;
  for (int64_t step = 0; step < steps; ++step) {
    const Var x(images(step % 5));
    const Tensor target = [&] {
      const autograd::NoGrad no_grad;
      return teacher.forward(x).value();
    }();
    autograd::Tape tape;
    const Var y = student.forward(x);
    Tensor dy = empty_like(target);
    double sum = 0.0;
    const float *found = y.value().data<float>(), *wanted = target.data<float>();
    float* gradient = dy.data<float>();
    for (int64_t i = 0; i < dy.elements(); ++i) {
      const float difference = found[i] - wanted[i];
      sum += static_cast<double>(difference) * difference;
      gradient[i] = 2.0f * difference / static_cast<float>(dy.elements());
    }
    losses.push_back(sum / static_cast<double>(dy.elements()));
    tape.backward(y, dy);
    optimizer.step(0.05);
  }
  return losses;
}

double mean_of(const std::vector<double>& values, size_t begin, size_t count) {
  const auto first = values.begin() + static_cast<std::ptrdiff_t>(begin);
  return std::accumulate(first, first + static_cast<std::ptrdiff_t>(count), 0.0) /
         static_cast<double>(count);
}

TEST(ConvPolicy, WinogradLearnsAsDirectDoes) {
  const std::vector<double> direct = train(ConvPolicy::direct, 300);
  const std::vector<double> winograd = train(ConvPolicy::winograd, 300);
  EXPECT_NE(direct, winograd) << "both ran the same kernels";
  EXPECT_LT(mean_of(direct, 290, 10), 0.5 * mean_of(direct, 0, 10)) << "nothing was learnt";
  for (size_t step = 0; step < direct.size(); step += 10) {
    const double expected = mean_of(direct, step, 10);
    EXPECT_NEAR(mean_of(winograd, step, 10), expected, 1e-3 * expected) << "step " << step;
  }
}

}  // namespace
}  // namespace layers
