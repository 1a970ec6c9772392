// On the CPU uploads and readbacks copy nothing. tests/engine/cuda/transfers_test.cpp tests those
// of CUDA.
#include "engine/transfers.h"

#include <gtest/gtest.h>

#include "engine/tensor_ops.h"

namespace engine {
namespace {

TEST(Transfers, ReturnTheirTensorsOnTheCpu) {
  const Tensor x = full({3}, 1.0);
  EXPECT_EQ(make_upload(kCpu)->send({x})[0].buffer(), x.buffer());
  const auto readback = make_readback(kCpu);
  readback->start({x});
  EXPECT_EQ(readback->finish()[0].buffer(), x.buffer());
}

}  // namespace
}  // namespace engine
