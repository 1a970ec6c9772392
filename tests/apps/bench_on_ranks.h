// Reads what pixpro bench step prints on several ranks.
#pragma once

#include <gtest/gtest.h>

#include <sstream>
#include <string>
#include <vector>

namespace apps {

inline std::vector<std::string> bench_step(const std::vector<std::string>& more) {
  std::vector<std::string> all = {"bench",        "step", "--arch",    "resnet18",
                                  "--image-size", "33",   "--steps",   "2",
                                  "--batch-size", "1",    "--threads", "1"};
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// The columns of a row of the table of messages, which begins with `name`.
struct TrafficRow {
  double messages = -1.0, kib = -1.0;
};
inline TrafficRow traffic_row(const std::string& out, const std::string& name) {
  const size_t begin = out.find("\n" + name);
  EXPECT_NE(begin, std::string::npos) << out;
  if (begin == std::string::npos) return {};
  TrafficRow row;
  std::istringstream(out.substr(begin + 1 + name.size())) >> row.messages >> row.kib;
  return row;
}
inline double messages_of(const std::string& out, const std::string& name) {
  return traffic_row(out, name).messages;
}
inline double kib_of(const std::string& out, const std::string& name) {
  return traffic_row(out, name).kib;
}

}  // namespace apps
