// Holds a CUDA op against the CPU's.
#pragma once

#include <string>

#include "autograd/grad_check.h"

namespace test_support {

// The largest distance (norm of the difference over norm) between the device's results in `dtype`
// and the CPU's in f64 from the same numbers: of the output and of every input's gradient, for one
// random gradient of the output. `worst` says which it is.
struct DeviceComparison {
  double distance = 0.0;
  std::string worst;
};
DeviceComparison compare_with_cpu(const autograd::OpCase& op, engine::DType dtype,
                                  engine::Device device);

}  // namespace test_support
