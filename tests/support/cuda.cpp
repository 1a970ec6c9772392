#include "tests/support/cuda.h"

#include <cstdlib>
#include <string_view>

#include "engine/tensor_ops.h"

namespace test_support {

std::string why_no_cuda() {
  if (!engine::kHasCuda) return "this build has no CUDA";
  try {
    engine::full({1}, 1.0, engine::DType::f32, kCuda);
  } catch (const engine::Error& error) {
    return error.what();
  }
  return "";
}

bool cuda_cache_is_off() {
  const char* value = std::getenv("PIXPRO_CUDA_CACHE");
  return value != nullptr && std::string_view(value) == "off";
}

}  // namespace test_support
