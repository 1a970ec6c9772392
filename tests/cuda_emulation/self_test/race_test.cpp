// Races that ThreadSanitizer sees, whatever the results and the order of threads.
#include <cstdlib>

#include "tests/cuda_emulation/self_test/kernels.h"
#include "tests/cuda_emulation/self_test/support.h"

namespace cuda_emulation {
namespace {

#ifdef __SANITIZE_THREAD__

class RaceDeathTest : public EmulationTest {
 protected:
  RaceDeathTest() { testing::FLAGS_gtest_death_test_style = "threadsafe"; }
};

// ThreadSanitizer reports a race and goes on; the program's exit status shows it.
#define EXPECT_RACE(statement)   \
  EXPECT_EXIT(                   \
      {                          \
        statement;               \
        cudaDeviceSynchronize(); \
        std::exit(EXIT_SUCCESS); \
      },                         \
      [](int status) { return status != 0; }, "ThreadSanitizer: data race")

TEST_F(RaceDeathTest, MissingBarriers) {
  const DeviceFloats y(64);
  EXPECT_RACE(launch_missing_barrier(nullptr, y.data()));
  EXPECT_RACE(launch_missing_broadcast_barrier(nullptr, y.data()));
  EXPECT_RACE(launch_missing_warp_barrier(nullptr, y.data()));
}

TEST_F(RaceDeathTest, BlocksThatWriteTheSameElements) {
  const DeviceFloats y(64);
  EXPECT_RACE(launch_blocks_collide(nullptr, y.data()));
}

TEST_F(RaceDeathTest, KernelsOfTwoStreams) {
  const Stream first, second;
  const DeviceFloats x(64), y(64);
  EXPECT_RACE({
    launch_count(first, 1, x.data());
    launch_double(second, 1, x.data(), y.data());
  });
}

#endif

}  // namespace
}  // namespace cuda_emulation
