#include "tests/support/cuda.h"

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

}  // namespace test_support
