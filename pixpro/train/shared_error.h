#pragma once

#include "engine/error.h"

namespace pixpro {

// An error that every rank meets at the same point of its work, so that they can still act
// together.
class SharedError : public engine::Error {
 public:
  using Error::Error;
};

inline bool is_shared(const std::exception& error) {
  return dynamic_cast<const SharedError*>(&error) != nullptr;
}

}  // namespace pixpro
