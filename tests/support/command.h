// Runs the pixpro binary as a user does.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace test_support {

struct CommandResult {
  int status = -1;  // exit status; 128 + signal if it was killed
  std::string out, err;
};

// Arguments are passed as they are, without a shell. While the program runs, `meanwhile` is called
// once with its process id.
CommandResult run_command(const std::string& program, const std::vector<std::string>& arguments,
                          const std::function<void(pid_t)>& meanwhile = {});

}  // namespace test_support
