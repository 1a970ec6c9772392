#include "tests/support/compare_devices.h"

#include "autograd/tape.h"
#include "engine/tensor_ops.h"
#include "tests/support/golden.h"
#include "tests/support/hashed.h"

namespace test_support {
namespace {

using autograd::Var;
using engine::DType;
using engine::Layout;
using engine::Tensor;

// The output, then each input's gradient.
std::vector<Tensor> run(const autograd::OpCase& op, DType dtype, engine::Device device) {
  const auto placed = [&](const Tensor& t) {
    const bool is_image = device != engine::kCpu && t.shape().rank() == 4;
    return to_layout(to_device(to_dtype(t, dtype), device),
                     is_image ? Layout::nhwc : Layout::plain);
  };
  std::vector<Var> inputs;
  for (const Tensor& input : op.inputs) inputs.push_back(Var::leaf(placed(input)));
  autograd::Tape tape;
  const Var y = op.function(inputs);
  const Tensor dy =
      to_device(hashed_tensor("dy", y.shape(), 1.0, 0.0, 0, y.value().dtype()), device);
  tape.backward(y, to_layout(dy, y.value().layout()));
  std::vector<Tensor> results = {y.value()};
  for (const Var& input : inputs) results.push_back(input.grad());
  return results;
}

}  // namespace

DeviceComparison compare_with_cpu(const autograd::OpCase& op, DType dtype, engine::Device device) {
  const std::vector<Tensor> expected = run(op, DType::f64, engine::kCpu);
  const std::vector<Tensor> found = run(op, dtype, device);
  DeviceComparison result;
  for (size_t i = 0; i < found.size(); ++i) {
    const double apart = distance(found[i], expected[i]);
    if (apart <= result.distance) continue;
    result.distance = apart;
    result.worst = i == 0 ? "output" : "gradient of input " + std::to_string(i - 1);
  }
  return result;
}

}  // namespace test_support
