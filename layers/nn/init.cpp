#include "layers/nn/init.h"

#include <vector>

#include "engine/context.h"
#include "engine/tensor_ops.h"

namespace layers {
namespace {

template <class Draw>
engine::Tensor drawn(const engine::Shape& shape, const Init& init, Draw draw) {
  std::vector<double> values(static_cast<size_t>(shape.elements()));
  for (double& value : values) value = draw();
  engine::Tensor tensor(shape, init.dtype, init.device,
                        engine::parameter_layout(init.device, shape));
  engine::copy_into(engine::from_values(shape, values), tensor);
  return tensor;
}

}  // namespace

engine::Tensor Init::normal(engine::Shape shape, double deviation) {
  return drawn(shape, *this, [&] { return deviation * random.normal(); });
}

engine::Tensor Init::uniform(engine::Shape shape, double bound) {
  return drawn(shape, *this, [&] { return random.uniform(-bound, bound); });
}

engine::Tensor Init::constant(engine::Shape shape, double value) {
  return engine::full(shape, value, dtype, device);
}

}  // namespace layers
