// What a call complains of.
#pragma once

#include <string>

#include "engine/error.h"

namespace test_support {

// The message of the engine::Error that f() throws, "no error" if it throws none.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const engine::Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace test_support
