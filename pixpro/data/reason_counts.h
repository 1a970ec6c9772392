// Counts of what a data set does not use, by reason.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace pixpro {

// ".txt" -> 8, "hidden" -> 1.
using ReasonCounts = std::map<std::string, int64_t, std::less<>>;

inline int64_t total(const ReasonCounts& counts) {
  int64_t sum = 0;
  for (const auto& [reason, count] : counts) sum += count;
  return sum;
}

}  // namespace pixpro
