// Compares an op on CUDA with the same op on the CPU.
#pragma once

#include <string>

#include "autograd/grad_check.h"

namespace test_support {

// The largest distance (norm of the difference / norm) between the device's results in `dtype` and
// the CPU's in f64 from the same values. The results are the output and, for one random gradient of
// the output, the gradient of every input. `worst` names the one that is farthest.
struct DeviceComparison {
  double distance = 0.0;
  std::string worst;
};
DeviceComparison compare_with_cpu(const autograd::OpCase& op, engine::DType dtype,
                                  engine::Device device);

}  // namespace test_support
