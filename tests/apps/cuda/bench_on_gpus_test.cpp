// pixpro bench step on several GPUs of one process.
#include "engine/ranks/devices.h"
#include "tests/apps/bench_on_ranks.h"
#include "tests/apps/program.h"

namespace apps {
namespace {

// In lockstep: each message of a forward carries the statistics of both branches.
TEST(CudaBenchStep, FourGpusCountTheMessagesOfTheFormula) {
  if (engine::count_cuda_devices() < 4) GTEST_SKIP() << "needs four GPUs";
  const test_support::CommandResult result =
      run_pixpro(bench_step({"--device", "cuda:0-3", "--reduce-in", "bf16"}));
  ASSERT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(messages_of(result.out, "batch norm of the online branch"), 42.0);
  EXPECT_EQ(messages_of(result.out, "batch norm of the target branch"), 0.0);
  EXPECT_EQ(messages_of(result.out, "numbers"), 2.0);
  EXPECT_NE(result.out.find("\nranks    4, "), std::string::npos) << result.out;
}

}  // namespace
}  // namespace apps
