// Tests autograd/tape.cpp and var.cpp: gradients accumulate without aliasing, hooks run at the last
// use, the sweep frees memory as it goes, and nothing is recorded that no gradient needs.
#include "autograd/tape.h"

#include <gtest/gtest.h>

#include "autograd/ops.h"
#include "engine/tensor_ops.h"

namespace autograd {
namespace {

Tensor vec(std::vector<double> values) {
  const Shape shape{static_cast<int64_t>(values.size())};
  return engine::from_values(shape, values);
}

using Values = std::vector<double>;

Values grad_of(const Var& v) { return engine::to_values(v.grad()); }

TEST(Tape, AddsTheGradientsOfSeveralUses) {
  // add returns the same tensor for both inputs: adding in place would corrupt v's gradient.
  const Var u = Var::leaf(vec({1, 2})), v = Var::leaf(vec({3, 4}));
  Tape tape;
  tape.backward(add(add(u, v), u), vec({10, 20}));
  EXPECT_EQ(grad_of(u), (Values{20, 40}));
  EXPECT_EQ(grad_of(v), (Values{10, 20}));
}

TEST(Tape, AddsAVarToItself) {
  const Var u = Var::leaf(vec({1, 2}));
  Tape tape;
  const Var twice = add(u, u);
  tape.backward(add(twice, twice), vec({1, 5}));
  EXPECT_EQ(grad_of(u), (Values{4, 20}));
}

TEST(Tape, LeavesTheCallersGradientAlone) {
  const Var u = Var::leaf(vec({1, 2})), v = Var::leaf(vec({3, 4}));
  const Tensor dy = vec({1, 1});
  Tape tape;
  tape.backward(add(add(u, v), add(u, u)), dy);
  EXPECT_EQ(engine::to_values(dy), (Values{1, 1}));
  EXPECT_EQ(grad_of(u), (Values{3, 3}));
  EXPECT_EQ(grad_of(v), (Values{1, 1}));
}

// An op that adds its gradient to what has accumulated, as conv2d does. Counts how often it could.
Var adding_scale(const Var& x, double factor, int& added) {
  Tensor y = engine::empty_like(x.value());
  engine::scale(engine::cpu_context(), x.value(), factor, y);
  return record("adding", {x}, y, save(),
                [factor, &added](const Tensor& dy, const GradientRequests& requests) -> Gradients {
                  Tensor dx = engine::empty_like(dy);
                  engine::scale(engine::cpu_context(), dy, factor, dx);
                  if (!requests[0].add_to.defined()) return {dx};
                  ++added;
                  Tensor sum = requests[0].add_to;
                  engine::add(engine::cpu_context(), sum, dx, sum);
                  return {sum};
                });
}

TEST(Tape, AnOpMayAddToTheGradientThatHasAccumulated) {
  const Var u = Var::leaf(vec({1, 2}));
  int added = 0;
  Tape tape;
  const Var a = adding_scale(u, 3.0, added), b = adding_scale(u, 5.0, added);
  tape.backward(add(a, b), vec({1, 10}));
  EXPECT_EQ(added, 1);
  EXPECT_EQ(grad_of(u), (Values{8, 80}));
}

TEST(Tape, NoOpAddsToAGradientHeldElsewhere) {
  const Var u = Var::leaf(vec({1, 2})), v = Var::leaf(vec({3, 4}));
  int added = 0;
  Tape tape;
  // By the time the other use of u runs, add has given u and v the same tensor.
  const Var other = adding_scale(u, 2.0, added);
  tape.backward(add(other, add(u, v)), vec({1, 1}));
  EXPECT_EQ(added, 0);
  EXPECT_EQ(grad_of(u), (Values{3, 3}));
  EXPECT_EQ(grad_of(v), (Values{1, 1}));
}

TEST(Tape, AGradientHeldElsewhereIsNotChangedInPlace) {
  const Var u = Var::leaf(vec({1, 2}));
  Tape first;
  first.backward(scale(u, 3.0), vec({1, 1}));
  const Tensor kept = u.grad();
  Tape second;
  second.backward(scale(u, 4.0), vec({1, 1}));
  EXPECT_EQ(engine::to_values(kept), (Values{3, 3}));
  EXPECT_EQ(grad_of(u), (Values{7, 7}));
}

TEST(Tape, AccumulatesOverSweepsUntilCleared) {
  Var u = Var::leaf(vec({1}));
  for (int i = 0; i < 3; ++i) {
    Tape tape;
    tape.backward(scale(u, 2.0));
  }
  EXPECT_EQ(grad_of(u), Values{6});
  u.clear_grad();
  EXPECT_FALSE(u.grad().defined());
}

TEST(Tape, CallsTheReadyHookOnceAfterTheLastUse) {
  Var u = Var::leaf(vec({1, 1}));
  int calls = 0;
  Values at_call;
  u.on_ready([&] {
    ++calls;
    at_call = grad_of(u);
  });
  Tape tape;
  const Var a = scale(u, 2.0), b = scale(u, 3.0);
  tape.backward(add(a, scale(add(b, u), 10.0)), vec({1, 2}));
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(at_call, (Values{42, 84}));
}

TEST(Tape, ABranchWithoutGradientDoesNotHoldTheHookBack) {
  Var u = Var::leaf(vec({1}));
  int calls = 0;
  u.on_ready([&] { ++calls; });
  Tape tape;
  const Var used = scale(u, 2.0), unused = scale(u, 100.0);
  tape.backward(used);
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(grad_of(u), Values{2});
}

TEST(Tape, AnAbandonedTapeLeavesNoPendingUse) {
  Var u = Var::leaf(vec({1}));
  int calls = 0;
  u.on_ready([&] { ++calls; });
  {
    const Tape abandoned;
    scale(u, 2.0);
  }
  Tape tape;
  tape.backward(scale(u, 5.0));
  EXPECT_EQ(calls, 1);
}

TEST(Tape, RecordsNothingWithoutNeed) {
  const Var u = Var::leaf(vec({1})), constant(vec({2}));
  EXPECT_FALSE(scale(u, 2.0).needs_grad());  // no tape
  Tape tape;
  EXPECT_FALSE(scale(constant, 2.0).needs_grad());
  {
    const NoGrad off;
    EXPECT_FALSE(scale(u, 2.0).needs_grad());
  }
  EXPECT_TRUE(tape.nodes().empty());
  EXPECT_TRUE(scale(u, 2.0).needs_grad());
  EXPECT_EQ(tape.nodes().size(), 1U);
}

TEST(Tape, SkipsTheGradientOfAConstantInput) {
  const Var image(engine::full({1, 3, 4, 4}, 1.0, DType::f64));
  const Var weight = Var::leaf(engine::full({2, 3, 3, 3}, 0.5, DType::f64));
  Tape tape;
  const Var y = conv2d(image, weight, Var(), {.padding = 1});
  tape.backward(y, engine::full(y.shape(), 1.0, DType::f64));
  EXPECT_TRUE(weight.grad().defined());
  EXPECT_FALSE(image.grad().defined());
}

// Bytes that tensors hold at the moment.
int64_t held() { return engine::allocator_of(engine::kCpu).stats().current_bytes; }

TEST(Tape, FreesActivationsWhileItSweeps) {
  constexpr int64_t kElements = 1 << 16, kBytes = kElements * 8;
  const Var u = Var::leaf(engine::full({kElements}, 1.0, DType::f64));
  Tape tape;
  const int64_t before = held();
  std::vector<int64_t> seen;  // bytes held as each of the 8 nodes runs backward
  Var x = u;
  for (int i = 0; i < 8; ++i) {
    x = record("probe", {x}, engine::clone(x.value()), save(engine::clone(x.value())),
               [&seen](const Tensor& dy, const Tensor&) -> Gradients {
                 seen.push_back(held());
                 return {dy};
               });
  }
  const int64_t recorded = held();
  EXPECT_EQ(recorded - before, 9 * kBytes);  // 8 saved tensors and the last output
  tape.backward(x, x.value());
  ASSERT_EQ(seen.size(), 8U);
  for (size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i], recorded - static_cast<int64_t>(i) * kBytes) << "at node " << i;
  }
  EXPECT_EQ(held() - before, kBytes);  // x; u's gradient shares its memory
}

TEST(Tape, FreesEverythingWhenDropped) {
  const int64_t before = held();
  {
    const Var u = Var::leaf(engine::full({1000}, 1.0, DType::f64));
    const Tape tape;
    relu(relu(relu(u)));
  }
  EXPECT_EQ(held(), before);
}

TEST(Tape, IsEmptyAfterAFailedSweep) {
  const Var u = Var::leaf(vec({1, 2}));
  Tape tape;
  const Var y = record("broken", {u}, vec({1, 2}), save(), [](const Tensor&) -> Gradients {
    return {vec({1, 2, 3})};
  });
  EXPECT_THROW(tape.backward(y, vec({1, 1})), engine::Error);
  EXPECT_TRUE(tape.nodes().empty());
  EXPECT_EQ(u.slot()->pending_uses, 0);
}

TEST(Tape, RefusesALossOfSeveralElements) {
  const Var u = Var::leaf(vec({1, 2}));
  Tape tape;
  EXPECT_THROW(tape.backward(scale(u, 1.0)), engine::Error);
  EXPECT_THROW(tape.backward(Var(vec({1}))), engine::Error);
}

}  // namespace
}  // namespace autograd
