// The cores a process may use: the quotas of its cgroups, as their files say them.
#include "engine/cpu/cores.h"

#include <gtest/gtest.h>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <bit>
#include <fstream>

#include "tests/support/temp_dir.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

class CpuQuota : public ::testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((dir_.path() / path).parent_path());
    std::ofstream(dir_.path() / path) << text;
  }
  std::optional<double> quota() const { return cpu_quota(dir_.path() / "membership", dir_.path()); }

  test_support::TempDir dir_;
};

TEST_F(CpuQuota, IsTheLeastOfAGroupAndThoseAboveIt) {
  write("membership", "0::/a/b\n");
  write("a/b/cpu.max", "max 100000\n");
  EXPECT_EQ(quota(), std::nullopt);
  write("a/cpu.max", "150000 100000\n");
  EXPECT_EQ(quota(), 1.5);
  write("a/b/cpu.max", "50000 100000\n");
  EXPECT_EQ(quota(), 0.5);
}

TEST_F(CpuQuota, ReadsVersionOne) {
  write("membership", "5:memory:/x\n4:cpu,cpuacct:/docker/7f\n");
  write("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  write("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), std::nullopt);
  write("cpu,cpuacct/docker/7f/cpu.cfs_quota_us", "200000\n");
  write("cpu,cpuacct/docker/7f/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(quota(), 2.0);
}

TEST_F(CpuQuota, IsFoundAtTheMountIfTheContainerHidesTheGroup) {
  write("membership", "0::/system.slice/docker-7f.scope\n");
  write("cpu.max", "400000 100000\n");
  EXPECT_EQ(quota(), 4.0);
}

TEST_F(CpuQuota, IsAbsentIfNothingCanBeRead) {
  EXPECT_EQ(quota(), std::nullopt);
  write("membership", "no colons\n0::/a\n");
  write("a/cpu.max", "lots\n");
  EXPECT_EQ(quota(), std::nullopt);
}

TEST(UsableCores, AreAtLeastOneAndNoMoreThanOpenMpGives) {
  const Cores cores = usable_cores();
  EXPECT_GE(cores.count, 1);
  EXPECT_LE(cores.count, omp_get_thread_limit());
  EXPECT_FALSE(cores.limit.empty());
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  EXPECT_EQ(usable_cores().count, 1);
  omp_set_num_threads(before);
}

TEST(UsableCores, AreDividedAmongTheRanksThatShareThem) {
  const Cores all = usable_cores();
  for (const int ranks : {2, 3, 1000}) {
    const Cores own = usable_cores({.cores = ranks, .machine = ranks});
    EXPECT_LE(own.count, std::max(1, all.count / ranks));
    EXPECT_GE(own.count, 1);
    if (all.count == 1) continue;
    EXPECT_NE(own.limit.find("for " + std::to_string(ranks) + " ranks"), std::string::npos)
        << own.limit;
  }
}

TEST(CoreMask, HasTheCoresOfTheThread) {
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  int count = 0;
  for (const uint64_t word : core_mask()) count += std::popcount(word);
  EXPECT_EQ(count, CPU_COUNT(&set));
}

}  // namespace
}  // namespace engine
