// Tests pixpro/method/: positive pairs, losses and propagation against the reference numbers.
#include "pixpro/method/losses.h"

#include <gtest/gtest.h>

#include <cmath>

#include "autograd/grad_check.h"
#include "engine/tensor_ops.h"
#include "pixpro/method/heads.h"
#include "pixpro/method/op_cases.h"
#include "pixpro/method/positives.h"
#include "tests/support/golden.h"

namespace pixpro {
namespace {

using engine::DType;
using engine::Shape;
using engine::TensorFile;
using test_support::distance;

class LossGolden : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    golden_ = test_support::golden("loss_" + std::to_string(GetParam()) + ".safetensors");
    const Shape& shape = find_tensor(golden_, "q").shape();
    pairs_ = {.boxes_q = find_tensor(golden_, "coord_q"),
              .boxes_k = find_tensor(golden_, "coord_k"),
              .grid = {shape[2], shape[3]},
              .pos_ratio = std::stod(golden_.metadata.at("pos_ratio"))};
  }

  // Checks the loss that `loss` makes of the similarities, and its gradient with respect to q.
  template <class Loss>
  void expect_loss(const std::string& name, double tolerance, DType dtype, Loss loss) {
    const Var q = Var::leaf(to_dtype(find_tensor(golden_, "q"), dtype));
    const Var k(to_dtype(find_tensor(golden_, "k"), dtype));
    autograd::Tape tape;
    const Var value = loss(matmul(flatten_pixels(q), flatten_pixels(k), {.transpose_a = true}));
    tape.backward(value);
    EXPECT_LE(distance(value.value(), find_tensor(golden_, name + "_loss")), tolerance);
    EXPECT_LE(distance(q.grad(), find_tensor(golden_, name + "_grad_q")), tolerance);
  }

  TensorFile golden_;
  PixelPairs pairs_;
};

TEST_P(LossGolden, MaskIsTheReferences) {
  const Tensor mask = positive_mask(pairs_.boxes_q, pairs_.boxes_k, pairs_.grid, pairs_.pos_ratio);
  EXPECT_EQ(engine::to_values(mask), engine::to_values(find_tensor(golden_, "mask")));
}

TEST_P(LossGolden, PixProLossAndGradient) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    expect_loss("pixpro", dtype == DType::f64 ? 1e-12 : 1e-5, dtype, [&](const Var& similarity) {
      Tensor images;
      return scale(pixpro_loss(similarity, pairs_, images), -2.0);
    });
  }
}

TEST_P(LossGolden, PixContrastLossAndGradient) {
  for (const DType dtype : {DType::f64, DType::f32}) {
    expect_loss("pixcontrast", dtype == DType::f64 ? 1e-12 : 1e-5, dtype,
                [&](const Var& similarity) {
                  Tensor images;
                  return pixcontrast_loss(similarity, pairs_, std::stod(golden_.metadata.at("tau")),
                                          images);
                });
  }
}

TEST_P(LossGolden, CountsPairsForTheCollapseMeasures) {
  const Var similarity(engine::full(
      {pairs_.boxes_q.shape()[0], pairs_.grid.pixels(), pairs_.grid.pixels()}, 0.25, DType::f64));
  Tensor images;
  pixpro_loss(similarity, pairs_, images);
  const std::vector<double> rows = engine::to_values(images);
  const std::vector<double> mask = engine::to_values(find_tensor(golden_, "mask"));
  const size_t plane = mask.size() / static_cast<size_t>(images.shape()[0]);
  for (size_t m = 0; m < rows.size() / kColumns; ++m) {
    double positives = 0.0;
    for (size_t i = 0; i < plane; ++i) positives += mask[m * plane + i];
    EXPECT_EQ(rows[m * kColumns + kPositives], positives);
    EXPECT_NEAR(rows[m * kColumns + kPositiveSum], 0.25 * positives, 1e-9);
    EXPECT_NEAR(rows[m * kColumns + kOtherSum], 0.25 * (static_cast<double>(plane) - positives),
                1e-9);
  }
}

INSTANTIATE_TEST_SUITE_P(All, LossGolden, testing::Range(0, 3));

TEST(PositiveMask, APairAtTheThresholdIsNotPositive) {
  // The bins are 3 x 4, so their diagonal is 5. The centres are 5 apart, exactly one diagonal.
  const Tensor q = engine::from_values<double>({1, 4}, {0, 0, 3, 4});
  const Tensor k = engine::from_values<double>({1, 4}, {3, 4, 6, 8});
  EXPECT_EQ(engine::item(positive_mask(q, k, {1, 1}, 1.0)), 0.0);
  EXPECT_EQ(engine::item(positive_mask(q, k, {1, 1}, 1.0 + 1e-9)), 1.0);
}

class PropagationGolden : public testing::TestWithParam<int> {};

TEST_P(PropagationGolden, OutputAndGradientsAreTheReferences) {
  const TensorFile golden =
      test_support::golden("propagation_" + std::to_string(GetParam()) + ".safetensors");
  const auto number = [&](const char* name) { return std::stod(golden.metadata.at(name)); };
  Init init{engine::Random(0), DType::f64, engine::kCpu};
  Propagation module(12,
                     {.power = number("p"),
                      .clamp = number("clamp"),
                      .transform_layers = static_cast<int>(number("transform_layers"))},
                     init);
  for (const layers::NamedVar& p : module.parameters()) {
    Tensor value = p.var.value();
    engine::copy_into(find_tensor(golden, "value_transform." + p.name), value);
  }
  const Var x = Var::leaf(find_tensor(golden, "x"));
  const Tensor& expected = find_tensor(golden, "y");
  autograd::Tape tape;
  const Var y = module.forward(x, {});
  tape.backward(y, find_tensor(golden, "grad_y").reshape(y.shape()));
  EXPECT_LE(distance(y.value().reshape(expected.shape()), expected), 1e-12);
  EXPECT_LE(distance(x.grad(), find_tensor(golden, "grad_x")), 1e-11);

  double squares = 0.0;
  for (const layers::NamedVar& p : module.parameters()) {
    squares +=
        std::pow(test_support::norm(find_tensor(golden, "grad.value_transform." + p.name)), 2);
  }
  const double count = static_cast<double>(std::max<size_t>(module.parameters().size(), 1));
  const double floor = 1e-3 * std::sqrt(squares / count);
  for (const layers::NamedVar& p : module.parameters()) {
    const Tensor& gradient = find_tensor(golden, "grad.value_transform." + p.name);
    EXPECT_LE(distance(p.var.grad(), gradient, floor), 1e-10) << p.name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PropagationGolden, testing::Range(0, 5));

TEST(Propagation, RefusesPowersThatHaveNoValue) {
  Init init{engine::Random(0)};
  EXPECT_THROW(Propagation(4, {.power = 2.5, .clamp = -0.1}, init), engine::Error);
  EXPECT_THROW(Propagation(4, {.power = 2.0, .clamp = 0.0, .transform_layers = 3}, init),
               engine::Error);
  EXPECT_NO_THROW(Propagation(4, {.power = 3.0, .clamp = -0.1}, init));
}

TEST(MethodOps, GradientsAgreeWithCentralDifferences) {
  for (const autograd::OpCase& op : method_op_cases()) {
    const autograd::GradCheckResult result = check_gradients(op);
    EXPECT_LT(result.error, autograd::kGradCheckTolerance) << op.name << ": " << result.worst;
  }
}

TEST(PixelLoss, WithoutAnyPositivePairIsZero) {
  const PixelPairs pairs{.boxes_q = engine::from_values<double>({1, 4}, {0, 0, 0.1, 0.1}),
                         .boxes_k = engine::from_values<double>({1, 4}, {0.8, 0.8, 1, 1}),
                         .grid = {2, 2},
                         .pos_ratio = 0.7};
  const Var similarity = Var::leaf(engine::full({1, 4, 4}, 0.9));
  for (const bool contrast : {false, true}) {
    Tensor images;
    autograd::Tape tape;
    const Var loss = contrast ? pixcontrast_loss(similarity, pairs, 0.3, images)
                              : pixpro_loss(similarity, pairs, images);
    tape.backward(loss);
    EXPECT_EQ(engine::item(loss.value()), 0.0);
    EXPECT_EQ(test_support::norm(similarity.grad()), 0.0);
  }
}

}  // namespace
}  // namespace pixpro
