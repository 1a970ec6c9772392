// How the project reports errors: everything throws Error, nothing below apps/ exits or prints.
// A message says what was expected, what was found and, if it helps, what to do.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace engine {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Throws Error with all parts as one text.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  throw Error(text.str());
}

// Fails with this text unless the condition holds:
// require(c == 3, "conv2d: weight expects C=3, input has C=", c);
template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]] {
    fail(parts...);
  }
}

}  // namespace engine
