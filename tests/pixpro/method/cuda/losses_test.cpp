// Tests pixpro/method/cuda/: the method's ops against the CPU in float64, and that both devices
// find the same positive pairs, ties included.
#include "pixpro/method/losses.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"
#include "pixpro/method/op_cases.h"
#include "tests/support/compare_devices.h"
#include "tests/support/cuda.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace pixpro {
namespace {

using engine::DType;
using test_support::kCuda;

TEST(CudaMethodOps, EqualTheCpu) {
  SKIP_WITHOUT_CUDA();
  for (const autograd::OpCase& op : method_op_cases()) {
    const auto [distance, worst] = test_support::compare_with_cpu(op, DType::f32, kCuda);
    EXPECT_LE(distance, 2e-6) << op.name << ": " << worst;
  }
}

TEST(CudaPixelLoss, FindsTheSamePairsAndSums) {
  SKIP_WITHOUT_CUDA();
  for (const char* number : {"0", "1", "2"}) {
    const engine::TensorFile golden =
        test_support::golden(std::string("loss_") + number + ".safetensors");
    const engine::Shape& features = find_tensor(golden, "q").shape();
    const PixelGrid grid{features[2], features[3]};
    const auto images_on = [&](engine::Device device, bool contrast) {
      const PixelPairs pairs{
          .boxes_q = to_device(to_dtype(find_tensor(golden, "coord_q"), DType::f64), device),
          .boxes_k = to_device(to_dtype(find_tensor(golden, "coord_k"), DType::f64), device),
          .grid = grid,
          .pos_ratio = std::stod(golden.metadata.at("pos_ratio"))};
      const engine::Shape shape{pairs.boxes_q.shape()[0], grid.pixels(), grid.pixels()};
      const Tensor similarity =
          test_support::hashed_tensor("similarity", shape, 1.0, 0.0, 0, DType::f32);
      Tensor images;
      const Var s(to_device(similarity, device));
      contrast ? pixcontrast_loss(s, pairs, 0.3, images) : pixpro_loss(s, pairs, images);
      return images;
    };
    for (const bool contrast : {false, true}) {
      const Tensor expected = images_on(engine::kCpu, contrast), found = images_on(kCuda, contrast);
      EXPECT_LE(test_support::distance(found, expected), 1e-12) << number << contrast;
      const std::vector<double> a = engine::to_values(expected), b = engine::to_values(found);
      for (size_t i = kPositives; i < a.size(); i += kColumns) EXPECT_EQ(a[i], b[i]) << number;
    }
  }
}

}  // namespace
}  // namespace pixpro
