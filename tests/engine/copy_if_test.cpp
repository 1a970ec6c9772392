// Tests engine/kernels/copy_if.h on the CPU.
#include "engine/kernels/copy_if.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"

namespace engine {
namespace {

void run(const Tensor& condition, const std::vector<Tensor>& from, std::vector<Tensor>& to) {
  on_device(kCpu, [&](auto& ctx) { copy_if(ctx, condition, from, to); });
}

TEST(CopyIf, CopiesAllTensorsOrNone) {
  for (const DType dtype : {DType::f32, DType::f64}) {
    const std::vector<Tensor> from = {full({3}, 1.0, dtype), full({0}, 0.0, dtype),
                                      full({2, 2}, 2.0, dtype)};
    std::vector<Tensor> to = {zeros({3}, dtype), zeros({0}, dtype), zeros({2, 2}, dtype)};
    run(full({1}, 0.0), from, to);
    EXPECT_EQ(to_values(to[2]), std::vector<double>(4, 0.0));
    run(full({1}, 1.0), from, to);
    EXPECT_EQ(to_values(to[0]), std::vector<double>(3, 1.0));
    EXPECT_EQ(to_values(to[2]), std::vector<double>(4, 2.0));
  }
}

TEST(CopyIf, CopiesWithoutACondition) {
  std::vector<Tensor> to = {zeros({3})};
  run({}, {full({3}, 5.0)}, to);
  EXPECT_EQ(to_values(to[0]), std::vector<double>(3, 5.0));
}

TEST(CopyIf, RefusesTensorsThatDoNotMatch) {
  std::vector<Tensor> to = {zeros({3})};
  EXPECT_THROW(run({}, {zeros({4})}, to), Error);
  EXPECT_THROW(run({}, {zeros({3}), zeros({3})}, to), Error);
}

}  // namespace
}  // namespace engine
