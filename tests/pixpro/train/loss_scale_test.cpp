// Tests pixpro/train/loss_scale.cpp.
#include "pixpro/train/loss_scale.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"

namespace pixpro {
namespace {

using engine::DType;

TEST(LossScale, IsOneUnlessGradientsAreF16) {
  for (const DType precision : {DType::f32, DType::f64, DType::bf16}) {
    LossScale scale(precision, engine::kCpu);
    EXPECT_FALSE(scale.factor().defined());
    EXPECT_FALSE(scale.state().defined());
    scale.update(engine::full({1}, 1.0));
    const engine::Tensor gradient = scale.gradient_of(engine::full({}, -2.0), 0.25);
    EXPECT_EQ(engine::item(gradient), 0.25);
    EXPECT_EQ(gradient.shape(), engine::Shape{});
  }
}

TEST(LossScale, HalvesAfterAnOverflow) {
  LossScale scale(DType::f16, engine::kCpu);
  const engine::Tensor loss = engine::full({}, -2.0);
  EXPECT_EQ(engine::item(scale.gradient_of(loss, 0.5)), 32768.0);
  scale.update(engine::full({1}, 0.0));
  EXPECT_EQ(engine::item(scale.factor()), 65536.0);
  scale.update(engine::full({1}, 1.0));
  EXPECT_EQ(engine::item(scale.factor()), 32768.0);
  EXPECT_EQ(engine::item(scale.gradient_of(loss, 1.0)), 32768.0);
}

}  // namespace
}  // namespace pixpro
