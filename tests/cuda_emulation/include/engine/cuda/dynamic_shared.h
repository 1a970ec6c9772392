// Found before the engine's header of the same name, which says what this is for.
#pragma once

#include "device_language.h"

namespace engine {

template <class T>
T* dynamic_shared() {
  return static_cast<T*>(cuda_emulation::dynamic_shared_memory());
}

}  // namespace engine
