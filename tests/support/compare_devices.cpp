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

// Placed as networks do: images and filters channels-last, 1-D parameters in f32 at least.
Tensor placed(const Tensor& t, DType dtype, engine::Device device) {
  const int axes = t.shape().axes();
  return converted(to_device(t, device), axes == 1 ? engine::at_least_f32(dtype) : dtype,
                   axes == 4 ? Layout::nhwc : Layout::plain);
}

// The same values in f64 on the CPU.
Tensor exactly(const Tensor& t) { return engine::from_values(t.shape(), engine::to_values(t)); }

struct Run {
  Var y;
  std::vector<Var> inputs;
  autograd::Tape tape{};

  Run(const autograd::OpCase& op, const std::vector<Tensor>& values) {
    for (const Tensor& value : values) inputs.push_back(Var::leaf(value));
    y = op.function(inputs);
  }
};

}  // namespace

DeviceComparison compare_with_cpu(const autograd::OpCase& op, DType dtype, engine::Device device) {
  std::vector<Tensor> device_inputs, cpu_inputs;
  for (const Tensor& input : op.inputs) {
    device_inputs.push_back(placed(input, dtype, device));
    cpu_inputs.push_back(exactly(device_inputs.back()));
  }
  Run found(op, device_inputs);
  const Tensor& y = found.y.value();
  const Tensor random = hashed_tensor("dy", y.shape());
  const Tensor dy = converted(to_device(random, device), y.dtype(), y.layout());
  found.tape.backward(found.y, dy);
  Run expected(op, cpu_inputs);
  expected.tape.backward(expected.y, exactly(dy));

  DeviceComparison result;
  const auto compare = [&](const std::string& what, const Tensor& a, const Tensor& b) {
    const double apart = distance(a, b);
    if (apart > result.distance) result = {apart, what};
  };
  compare("output", y, expected.y.value());
  for (size_t i = 0; i < found.inputs.size(); ++i) {
    compare("gradient of input " + std::to_string(i), found.inputs[i].grad(),
            expected.inputs[i].grad());
  }
  return result;
}

}  // namespace test_support
