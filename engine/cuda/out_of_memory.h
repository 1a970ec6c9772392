// The error of a tensor for which the device has no memory.
#pragma once

#include "engine/error.h"

namespace engine {

class OutOfMemory : public Error {
 public:
  using Error::Error;
};

}  // namespace engine
