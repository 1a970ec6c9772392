// Checks of flag values that the command-line library does not have.
#pragma once

#include <CLI/CLI.hpp>

namespace apps {

inline constexpr double kLargest = 1e12;  // for flags without an upper limit of their own

// A number from `low` to `high`. CLI::Range accepts "nan" and prints a limit like 1e300 in full.
CLI::Validator number_in(double low, double high);

// A whole number from 0 to 2^64 - 1. Without this check "-1" wraps around.
CLI::Validator whole_number();

}  // namespace apps
