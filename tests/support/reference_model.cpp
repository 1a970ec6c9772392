#include "tests/support/reference_model.h"

#include <cmath>
#include <map>
#include <string>

#include "engine/tensor_ops.h"
#include "tests/support/hashed.h"

namespace test_support {

using engine::Tensor;

void hashed_init(const layers::Module& module, uint64_t seed) {
  for (const layers::NamedVar& p : module.parameters()) {
    const engine::Shape& shape = p.var.shape();
    double scale = 0.1, shift = 0.0;
    if (shape.axes() >= 2) {
      scale = std::sqrt(3.0 / static_cast<double>(shape.elements() / shape[0]));
    } else if (p.name.ends_with(".weight")) {
      scale = 0.25, shift = 1.0;
    }
    Tensor value = p.var.value();
    engine::copy_into(hashed_tensor(p.name, shape, scale, shift, seed, engine::DType::f64), value);
  }
}

void copy_to_momentum_encoder(const layers::Module& module) {
  std::map<std::string, Tensor> values;
  for (const layers::NamedVar& p : module.parameters()) values[p.name] = p.var.value();
  for (auto& [name, value] : values) {
    const size_t dot = name.find('.');
    const auto target = values.find(name.substr(0, dot) + "_k" + name.substr(dot));
    if (target != values.end()) engine::copy_into(value, target->second);
  }
}

}  // namespace test_support
