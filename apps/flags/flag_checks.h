// Checks of flag values that the command-line library does not have.
#pragma once

#include <CLI/CLI.hpp>

namespace apps {

inline constexpr double kLargest = 1e12;  // of flags that have no upper limit of their own

// A number from `low` to `high`. CLI::Range takes "nan" for one, and prints 300 digits where there
// is no upper limit.
CLI::Validator number_in(double low, double high);

// A whole number from 0 to 2^64 - 1. Without it "-1" wraps around.
CLI::Validator whole_number();

}  // namespace apps
