// Ranks that mpirun starts, each on an emulated GPU: MPI carries NCCL's id and ends the job.
#include "tests/apps/ranks/mpirun.h"

#include "apps/console.h"
#include "apps/ranks/ranks.h"
#include "engine/tensor_ops.h"
#include "tests/cuda_emulation/control.h"

namespace apps {
namespace {

double sum_of_ranks(const Rank& rank) {
  const engine::Tensor x = engine::full({5}, 1.0 + rank.index, engine::DType::f32, rank.device);
  rank.ranks->all_reduce(x);
  return engine::to_values(x)[0];
}

TEST(CudaMpirun, StartsRanksWithAGpuEach) {
  if (const auto result = on_two_ranks_of(PIXPRO_MPIRUN)) return expect_good_end(*result);
  on_ranks(plan_ranks({.device = "cuda"}), [](const Rank& rank) {
    EXPECT_EQ(rank.device.index, rank.index);
    EXPECT_EQ(sum_of_ranks(rank), 3.0);
    say("rank " + std::to_string(rank.index) + " ends well\n");
  });
  finish_output();
  EXPECT_TRUE(cuda_emulation::take_findings().empty());
}

TEST(CudaMpirun, EndsTheJobOfARankThatThrows) {
  if (const auto result = on_two_ranks_of(PIXPRO_MPIRUN)) {
    return expect_failure(*result, "pixpro: rank 1: the disk is full");
  }
  on_ranks(plan_ranks({.device = "cuda"}), [](const Rank& rank) {
    if (rank.index == 1) engine::fail("the disk is full");
    sum_of_ranks(rank);
  });
}

}  // namespace
}  // namespace apps
