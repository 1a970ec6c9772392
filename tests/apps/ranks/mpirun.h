// Tests that run themselves on ranks of mpirun.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/command.h"

namespace apps {

// Runs a program on the ranks of an mpirun. `meanwhile` gets the process of mpirun.
inline test_support::CommandResult run_on_ranks(int ranks, const std::string& program,
                                                const std::vector<std::string>& arguments,
                                                const std::function<void(pid_t)>& meanwhile = {},
                                                const std::string& mpirun = PIXPRO_MPIRUN) {
  // Open MPI 4 and 5 start as root, and start more ranks than there are cores, only if told.
  setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
  setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
  setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
  setenv("PRTE_MCA_rmaps_default_mapping_policy", ":oversubscribe", 1);
  std::vector<std::string> line = {"-np", std::to_string(ranks), program};
  line.insert(line.end(), arguments.begin(), arguments.end());
  return test_support::run_command(mpirun, line, meanwhile);
}

// Runs the calling test again, on two ranks, and returns how that ended. In those ranks it returns
// nothing: there the test goes on.
inline std::optional<test_support::CommandResult> on_two_ranks_of(const std::string& mpirun) {
  if (std::getenv("RANK_OF_TEST") != nullptr) return std::nullopt;
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  setenv("RANK_OF_TEST", "1", 1);
  auto result = run_on_ranks(
      2, std::filesystem::read_symlink("/proc/self/exe"),
      {"--gtest_filter=" + std::string(test.test_suite_name()) + "." + test.name()}, {}, mpirun);
  unsetenv("RANK_OF_TEST");
  return result;
}

// Both ranks have said "rank R ends well".
inline void expect_good_end(const test_support::CommandResult& result) {
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  for (const char* words : {"rank 0 ends well", "rank 1 ends well"}) {
    EXPECT_NE(result.out.find(words), std::string::npos) << result.out;
  }
}

// The job has failed, and said why.
inline void expect_failure(const test_support::CommandResult& result, const std::string& words) {
  EXPECT_NE(result.status, 0);
  EXPECT_NE(result.err.find(words), std::string::npos) << result.out << result.err;
}

}  // namespace apps
