// Integer arithmetic for dividing work into pieces. All arguments are at least 0, divisors at
// least 1.
#pragma once

#include <cstdint>

namespace engine {

// a / b, rounded up.
constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The smallest multiple of `unit` that is at least `value`.
constexpr int64_t round_up(int64_t value, int64_t unit) { return ceil_div(value, unit) * unit; }

// First item of part `part` if 0 .. count-1 is divided into `parts` nearly equal parts.
constexpr int64_t part_begin(int64_t count, int64_t part, int64_t parts) {
  return count * part / parts;
}

// Calls f(begin, count) for each of these parts in turn.
template <class F>
void for_parts(int64_t count, int64_t parts, F&& f) {
  for (int64_t part = 0; part < parts; ++part) {
    const int64_t begin = part_begin(count, part, parts);
    f(begin, part_begin(count, part + 1, parts) - begin);
  }
}

}  // namespace engine
