#include "tests/support/golden.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/tensor_ops.h"

namespace test_support {
namespace {

double root_of_squares(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

}  // namespace

engine::TensorFile golden(const std::string& name) {
  return engine::read_tensor_file(std::string(PIXPRO_GOLDEN_DIR "/") + name);
}

double norm(const engine::Tensor& t) { return root_of_squares(engine::to_values(t)); }

double distance(const engine::Tensor& a, const engine::Tensor& b, double floor) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (a.shape() != b.shape()) return kInfinity;
  std::vector<double> difference = engine::to_values(a);
  const std::vector<double> expected = engine::to_values(b);
  for (size_t i = 0; i < difference.size(); ++i) difference[i] -= expected[i];
  const double scale = std::max({root_of_squares(expected), floor, 1e-300});
  const double result = root_of_squares(difference) / scale;
  return std::isnan(result) ? kInfinity : result;
}

}  // namespace test_support
