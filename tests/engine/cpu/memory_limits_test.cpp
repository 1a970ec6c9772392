// The memory that a process may use: limits of its cgroups, as their files say them.
#include "engine/cpu/memory_limits.h"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "tests/support/temp_dir.h"

namespace engine {
namespace {

namespace fs = std::filesystem;

class GroupMemory : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((dir_.path() / path).parent_path());
    std::ofstream(dir_.path() / path) << text;
  }
  MemoryLimits limits() const { return group_memory(dir_.path() / "membership", dir_.path()); }

  test_support::TempDir dir_;
};

TEST_F(GroupMemory, IsTheLeastOfAGroupAndThoseAboveIt) {
  write("membership", "0::/a/b\n");
  write("a/b/memory.max", "max\n");
  EXPECT_EQ(limits().total, std::numeric_limits<int64_t>::max());
  write("a/memory.max", "5000\n");
  write("a/memory.current", "4500\n");
  write("a/memory.stat", "anon 1500\nfile 3000\nfile_mapped 7\n");
  EXPECT_EQ(limits().total, 5000);
  EXPECT_EQ(limits().available, 3500) << "cached files are free";
}

TEST_F(GroupMemory, ReadsVersionOne) {
  write("membership", "5:memory:/docker/7f\n4:cpu,cpuacct:/docker/7f\n");
  write("memory/memory.limit_in_bytes", "9000\n");
  write("memory/memory.usage_in_bytes", "8000\n");
  write("memory/memory.stat", "cache 1\ntotal_cache 500\n");
  EXPECT_EQ(limits().total, 9000);
  EXPECT_EQ(limits().available, 1500);
}

TEST(MemoryLimits, AreThoseOfThisMachine) {
  const MemoryLimits limits = memory_limits();
  EXPECT_GT(limits.total, int64_t{1} << 26);
  EXPECT_LT(limits.total, int64_t{1} << 50) << "no limit was found";
  EXPECT_GT(limits.available, 0);
  EXPECT_LE(limits.available, limits.total);
}

}  // namespace
}  // namespace engine
