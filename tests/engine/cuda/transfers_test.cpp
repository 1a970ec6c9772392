// Uploads to CUDA and readbacks from it.
#include "engine/transfers.h"

#include <gtest/gtest.h>

#include "engine/kernels/pointwise.h"
#include "engine/tensor_ops.h"
#include "tests/support/cuda.h"

namespace engine {
namespace {

using test_support::kCuda;

TEST(CudaTransfers, BringTheValuesAtTheTimeOfTheCall) {
  SKIP_WITHOUT_CUDA();
  const auto upload = make_upload(kCuda);
  const auto first = make_readback(kCuda), second = make_readback(kCuda);
  Tensor x({1000}), boxes({3}, DType::f64);
  for (int64_t step = 0; step < 6; ++step) {
    // A batch of another size comes in between.
    if (step == 3) x = Tensor({500});
    if (step == 4) x = Tensor({1000});
    const auto value = static_cast<double>(step);
    copy_into(full(x.shape(), value), x);
    copy_into(full({3}, value + 0.5, DType::f64), boxes);
    const std::vector<Tensor> there = upload->send({x, boxes});
    copy_into(zeros(x.shape()), x);  // the host reuses its memory at once
    Tensor sum = empty_like(there[0]);
    on_device(kCuda, [&](auto& ctx) { add(ctx, there[0], there[0], sum); });
    Readback& readback = step % 2 == 0 ? *first : *second;
    readback.start({sum, there[1]});
    on_device(kCuda, [&](auto& ctx) { fill(ctx, sum, -1.0); });
    const std::vector<Tensor> back = readback.finish();
    EXPECT_EQ(to_values(back[0]),
              std::vector<double>(static_cast<size_t>(x.elements()), 2.0 * value));
    EXPECT_EQ(to_values(back[1]), std::vector<double>(3, value + 0.5));
  }
}

// Nothing waits between the batches, so a copy that comes too early overwrites one that is still to
// be read. On the emulation racing streams show that.
TEST(CudaTransfers, KeepABatchUntilItHasBeenRead) {
  SKIP_WITHOUT_CUDA();
  const auto upload = make_upload(kCuda);
  std::vector<Tensor> sums;
  for (int64_t step = 0; step < 5; ++step) {
    const Tensor x = upload->send({full({1000}, static_cast<double>(step))})[0];
    sums.push_back(empty_like(x));
    on_device(kCuda, [&](auto& ctx) { add(ctx, x, x, sums.back()); });
  }
  for (size_t step = 0; step < sums.size(); ++step) {
    EXPECT_EQ(to_values(sums[step]), std::vector<double>(1000, 2.0 * static_cast<double>(step)));
  }
}

}  // namespace
}  // namespace engine
