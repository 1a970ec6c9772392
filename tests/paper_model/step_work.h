// The work of a PixPro training step on CUDA, kernel by kernel, read from the tape of the real
// network. It consists of the floating-point operations and the memory traffic that the formulas
// need if every input is read and every output written once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace paper_model {

// --precision: how activations are stored and products computed.
enum class Precision : uint8_t { f32, tf32, bf16 };

// What a kernel computes on: tensor cores (tf32, bf16) or ordinary units. Sums over many values are
// taken in f64.
enum class Unit : uint8_t { f32, tf32, bf16, f64 };

struct Kernel {
  std::string name;
  double flops = 0.0;
  double bytes = 0.0;
  int64_t launches = 1;
  Unit unit = Unit::f32;
};

struct StepShape {
  std::string arch;
  int64_t image_size;
  int64_t images;  // per step, of two views each
  Precision precision;
};

// Every kernel of one step with LARS, in the order in which they run. Runs the network once on the
// CPU, on one image.
std::vector<Kernel> step_work(const StepShape& step);

}  // namespace paper_model
