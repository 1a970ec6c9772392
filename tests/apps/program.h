// The program as a user runs it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/command.h"

namespace apps {

using test_support::CommandResult;

// While the program runs, `meanwhile` is called once with its process id.
inline CommandResult run_pixpro(const std::vector<std::string>& arguments,
                                const std::function<void(pid_t)>& meanwhile = {}) {
  return test_support::run_command(PIXPRO_BINARY, arguments, meanwhile);
}

inline int64_t lines_of(const std::string& text) { return std::ranges::count(text, '\n'); }

// The program failed with one line on standard error that contains all of `words`. Status: 1, or 2
// for a bad command line.
inline void expect_refusal(const CommandResult& result, const std::vector<std::string>& words,
                           int status = 1) {
  EXPECT_EQ(result.status, status) << result.err;
  EXPECT_TRUE(result.err.starts_with("pixpro: ")) << result.err;
  EXPECT_EQ(lines_of(result.err), 1) << result.err;
  for (const std::string& word : words) {
    EXPECT_NE(result.err.find(word), std::string::npos) << "'" << word << "' in: " << result.err;
  }
}

}  // namespace apps
