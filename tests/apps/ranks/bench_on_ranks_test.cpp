// pixpro bench step on ranks that mpirun starts.
#include "tests/apps/bench_on_ranks.h"

#include "tests/apps/ranks/mpirun.h"

namespace apps {
namespace {

TEST(BenchStepOnRanks, CountsMessages) {
  const test_support::CommandResult result = run_on_ranks(2, PIXPRO_BINARY, bench_step({}));
  ASSERT_EQ(result.status, 0) << result.err;
  // 20 batch norms of the encoder and one of the projector, forward and backward.
  EXPECT_EQ(messages_of(result.out, "batch norm of the online branch"), 42.0);
  EXPECT_EQ(messages_of(result.out, "batch norm of the target branch"), 21.0);
  EXPECT_EQ(messages_of(result.out, "numbers"), 2.0);
  EXPECT_GT(messages_of(result.out, "sums of gradients"), 1.0);
  for (const char* words : {"\nranks    2, ", "of the time of the sums of gradients was hidden"}) {
    EXPECT_NE(result.out.find(words), std::string::npos) << result.out;
    EXPECT_EQ(result.out.find(words), result.out.rfind(words)) << "more than one rank prints";
  }
}

TEST(BenchStepOnRanks, FlagsChangeWhatTravels) {
  const auto own = run_on_ranks(2, PIXPRO_BINARY, bench_step({"--bucket-mib", "1"}));
  const auto bf16 = run_on_ranks(
      2, PIXPRO_BINARY, bench_step({"--no-sync-bn", "--bucket-mib", "1", "--reduce-in", "bf16"}));
  ASSERT_EQ(bf16.status, 0) << bf16.err;
  EXPECT_EQ(messages_of(bf16.out, "batch norm of the online branch"), 0.0);
  EXPECT_NEAR(kib_of(bf16.out, "sums of gradients"), 0.5 * kib_of(own.out, "sums of gradients"),
              0.1);
}

}  // namespace
}  // namespace apps
