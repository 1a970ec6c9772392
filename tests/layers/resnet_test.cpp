// Tests layers/nn/resnet.cpp against the reference: output, gradients of the input and the
// parameters, running estimates.
#include "layers/nn/resnet.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/tensor_ops.h"
#include "tests/support/conv_policy.h"
#include "tests/support/error_of.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"
#include "tests/support/reference_model.h"

namespace layers {
namespace {

using engine::ConvPolicy;
using test_support::distance;

struct Case {
  const char* arch;
  int64_t images;
  DType dtype;
  // If the input of a ReLU is nearly 0, the order of a sum decides whether it opens, and the
  // gradients jump. The library's order is close to the one that the f32 errors were recorded with.
  ConvPolicy policy = ConvPolicy::library;
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << c.arch << ' ' << c.dtype << (c.policy == ConvPolicy::reference ? " reference" : "");
}

class ResNetGolden : public testing::TestWithParam<Case> {
 protected:
  // In f32, five times PyTorch's own f32 error plus 1e-4; in f64, 1e-9.
  double tolerance(const std::string& what) const {
    if (GetParam().dtype == DType::f64) return 1e-9;
    return 5.0 * engine::item(find_tensor(golden_, "f32_error." + what)) + 1e-4;
  }

  void expect_near(const Tensor& found, const std::string& name) const {
    EXPECT_LE(distance(found, find_tensor(golden_, name)), tolerance(name)) << name;
  }

  // The files hold the norm and the first elements of the gradient of every parameter.
  void expect_gradient(const NamedVar& p, double floor) const {
    const double norm = engine::item(find_tensor(golden_, "grad_norm." + p.name));
    const double limit = tolerance("grad." + p.name) * std::max(norm, floor);
    EXPECT_NEAR(test_support::norm(p.var.grad()), norm, limit) << p.name;
    const Tensor& head = find_tensor(golden_, "grad_head." + p.name);
    const Tensor first = p.var.grad().reshape({p.var.value().elements()}).rows(0, head.elements());
    EXPECT_LE(distance(first, head) * test_support::norm(head), limit) << p.name;
  }

  engine::TensorFile golden_ = test_support::golden(std::string(GetParam().arch) + ".safetensors");
  test_support::WithConvPolicy policy_{GetParam().policy};
};

TEST_P(ResNetGolden, EqualsTheReference) {
  const auto [arch, images, dtype, policy] = GetParam();
  Init init{engine::Random(0), dtype, engine::kCpu};
  ResNet net(arch, init);
  test_support::hashed_init(net);

  const Tensor pixels = test_support::hashed_tensor("image", {images, 3, 64, 64}, 1.7);
  const Var image = Var::leaf(to_dtype(pixels, dtype));
  autograd::Tape tape;
  const Var y = net.forward(image, {});
  const Tensor dy = to_dtype(test_support::hashed_tensor("grad_out", y.shape(), 1.0), dtype);
  tape.backward(y, to_layout(dy, y.value().layout()));

  expect_near(y.value(), "output");
  expect_near(image.grad(), "grad_image");
  const double floor = engine::item(find_tensor(golden_, "gradient_floor"));
  for (const NamedVar& p : net.parameters()) expect_gradient(p, floor);
  for (const NamedTensor& b : net.buffers()) {
    if (b.name.ends_with("num_batches_tracked")) continue;
    const double norm = engine::item(find_tensor(golden_, "buffer_norm." + b.name));
    EXPECT_NEAR(test_support::norm(b.tensor), norm, tolerance("buffer." + b.name) * norm) << b.name;
  }
  const Var evaluated = net.forward(Var(image.value()), {.training = false});
  EXPECT_LE(distance(evaluated.value(), find_tensor(golden_, "output_eval")), tolerance("output"));
}

INSTANTIATE_TEST_SUITE_P(All, ResNetGolden,
                         testing::Values(Case{"resnet18", 3, DType::f64},
                                         Case{"resnet18", 3, DType::f32},
                                         Case{"resnet18", 3, DType::f32, ConvPolicy::reference},
                                         Case{"resnet50", 2, DType::f64},
                                         Case{"resnet50", 2, DType::f32}));

TEST(ResNet, HasThePublishedSizes) {
  // Parameters up to C5: torchvision's counts without the classifier.
  const std::vector<std::pair<std::string, int64_t>> counts = {{"resnet18", 11176512},
                                                               {"resnet34", 21284672},
                                                               {"resnet50", 23508032},
                                                               {"resnet101", 42500160},
                                                               {"resnet152", 58143808}};
  for (const auto& [arch, expected] : counts) {
    Init init{engine::Random(0)};
    const ResNet net(arch, init);
    int64_t elements = 0;
    for (const NamedVar& p : net.parameters()) elements += p.var.value().elements();
    EXPECT_EQ(elements, expected) << arch;
  }
}

TEST(ResNet, StartsEveryBlockAsTheIdentityAndConvolutionsAtTheirScale) {
  Init init{engine::Random(7)};
  const ResNet net("resnet18", init);
  for (const NamedVar& p : net.parameters()) {
    const double norm = test_support::norm(p.var.value());
    const double elements = static_cast<double>(p.var.value().elements());
    if (p.name.ends_with("bn2.weight")) {
      EXPECT_EQ(norm, 0.0) << p.name;
    }
    if (p.name == "layer3.1.conv1.weight") {
      EXPECT_NEAR(norm / std::sqrt(elements), std::sqrt(2.0 / (9 * 256)), 1e-4);
    }
  }
}

TEST(ResNet, NamesTheKnownArchitectures) {
  Init init{engine::Random(0)};
  const std::string message = test_support::error_of([&] { ResNet("resnet19", init); });
  EXPECT_NE(message.find("resnet152"), std::string::npos) << message;
}

TEST(BatchNorm2d, TreatsThePartsOfAStackAsSeparateBatches) {
  Init init{engine::Random(1), DType::f64, engine::kCpu};
  BatchNorm2d stacked(5, init), separate(5, init);
  const Tensor x = test_support::hashed_tensor("x", {6, 5, 4, 3}, 2.0, 0.5, 0, DType::f64);
  const Tensor both = stacked.forward(Var(x), {.training = true, .parts = 2}).value();
  const Tensor one = separate.forward(Var(engine::clone(x.rows(0, 3))), {}).value();
  const Tensor two = separate.forward(Var(engine::clone(x.rows(3, 3))), {}).value();
  EXPECT_LE(distance(both, engine::concatenate_rows({one, two})), 1e-14);
  for (size_t i = 0; i < stacked.buffers().size(); ++i) {
    EXPECT_LE(distance(stacked.buffers()[i].tensor, separate.buffers()[i].tensor), 1e-14);
  }
}

}  // namespace
}  // namespace layers
