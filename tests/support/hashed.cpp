#include "tests/support/hashed.h"

#include "engine/random.h"
#include "engine/tensor_ops.h"

namespace test_support {

engine::Tensor hashed_tensor(const std::string& name, const engine::Shape& shape, double scale,
                             double shift, uint64_t seed, engine::DType dtype) {
  std::vector<double> values(static_cast<size_t>(shape.elements()));
  uint64_t state = engine::hash_name(name) + seed;
  for (double& value : values) {
    state += 0x9E3779B97F4A7C15;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    z ^= z >> 31;
    const double uniform = static_cast<double>(z >> 11) * 0x1p-53 * 2.0 - 1.0;
    // Stored in between, so that no compiler fuses it with the sum, which would round only once.
    const volatile double scaled = uniform * scale;
    value = scaled + shift;
  }
  return engine::to_dtype(engine::from_values(shape, values), dtype);
}

}  // namespace test_support
