// Runs the pixpro binary as a user does.
#pragma once

#include <string>
#include <vector>

namespace test_support {

struct CommandResult {
  int status = -1;  // exit status; 128 + signal where it was killed
  std::string out, err;
};

// Arguments are passed as they are: no shell reads them.
CommandResult run_command(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace test_support
