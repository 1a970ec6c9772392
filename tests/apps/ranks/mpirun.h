// Tests that run themselves on ranks of mpirun.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "tests/support/command.h"

namespace apps {

// Runs the calling test again, on two ranks of this mpirun, and returns how that ended. In those
// ranks it returns nothing: there the test goes on.
inline std::optional<test_support::CommandResult> on_two_ranks_of(const std::string& mpirun) {
  if (std::getenv("RANK_OF_TEST") != nullptr) return std::nullopt;
  const testing::TestInfo& test = *testing::UnitTest::GetInstance()->current_test_info();
  // Open MPI 4 and 5 start as root, and start more ranks than there are cores, only if told.
  return test_support::run_command(
      "/usr/bin/env",
      {"RANK_OF_TEST=1", "OMPI_ALLOW_RUN_AS_ROOT=1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
       "OMPI_MCA_rmaps_base_oversubscribe=1",
       "PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe", mpirun, "-np", "2",
       std::filesystem::read_symlink("/proc/self/exe"),
       "--gtest_filter=" + std::string(test.test_suite_name()) + "." + test.name()});
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
