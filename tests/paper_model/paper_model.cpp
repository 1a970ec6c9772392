// What a training step must cost on an A100 and an H100, and what many H100s lose to messages, on
// paper. docs/cuda.md and docs/scaling.md show the output.
//   paper_model [ARCH [IMAGES]]        (resnet50 and 128 by default, 224 pixels)
#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/paper_model/scaling.h"
#include "tests/paper_model/step_work.h"

namespace {

using paper_model::Kernel;
using paper_model::Precision;
using paper_model::StepShape;
using paper_model::Unit;

// From NVIDIA's data sheets, without sparsity: bytes/s and operations/s.
struct Gpu {
  const char* name;
  double bandwidth;
  double f32, tf32, bf16, f64;

  double peak(Unit unit) const {
    switch (unit) {
      case Unit::f32:
        return f32;
      case Unit::tf32:
        return tf32;
      case Unit::bf16:
        return bf16;
      case Unit::f64:
        break;
    }
    return f64;
  }
};
constexpr Gpu kGpus[] = {{"A100", 1.555e12, 19.5e12, 156e12, 312e12, 9.7e12},       // SXM4, 40 GB
                         {"H100", 3.35e12, 66.9e12, 494.7e12, 989.4e12, 33.5e12}};  // SXM5, 80 GB

// The floor: arithmetic and memory traffic both run at their peak, and the slower one counts.
double floor_seconds(const Kernel& kernel, const Gpu& gpu) {
  return std::max(kernel.flops / gpu.peak(kernel.unit), kernel.bytes / gpu.bandwidth);
}

// Assumed, not measured: the share of the peaks that real kernels reach, and the idle time between
// two kernels.
constexpr double kShareOfArithmetic = 0.6, kShareOfBandwidth = 0.8, kLaunchSeconds = 2e-6;

double predicted_seconds(const Kernel& kernel, const Gpu& gpu) {
  return std::max(kernel.flops / gpu.peak(kernel.unit) / kShareOfArithmetic,
                  kernel.bytes / gpu.bandwidth / kShareOfBandwidth) +
         static_cast<double>(kernel.launches) * kLaunchSeconds;
}

struct Row {
  double launches = 0.0, flops = 0.0, bytes = 0.0, seconds[2] = {0.0, 0.0};

  void add(const Kernel& kernel) {
    launches += static_cast<double>(kernel.launches);
    flops += kernel.flops;
    bytes += kernel.bytes;
    for (size_t i = 0; i < 2; ++i) seconds[i] += floor_seconds(kernel, kGpus[i]);
  }
};

void print(const char* name, const Row& row) {
  std::printf("%-26s %8.0f %10.1f %9.2f %9.2f %9.2f\n", name, row.launches, 1e-9 * row.flops,
              1e-9 * row.bytes, 1e3 * row.seconds[0], 1e3 * row.seconds[1]);
}

void print_step(const StepShape& step, const char* precision) {
  const std::vector<Kernel> kernels = paper_model::step_work(step);
  std::map<std::string, Row> rows;
  Row total;
  double predicted[2] = {0.0, 0.0};
  for (const Kernel& kernel : kernels) {
    rows[kernel.name].add(kernel);
    total.add(kernel);
    for (size_t i = 0; i < 2; ++i) predicted[i] += predicted_seconds(kernel, kGpus[i]);
  }
  std::printf("%s, %lld pixels, %lld images, %s\n\n%-26s %8s %10s %9s %9s %9s\n", step.arch.c_str(),
              static_cast<long long>(step.image_size), static_cast<long long>(step.images),
              precision, "kernel", "launches", "GFLOP", "GB", "A100 ms", "H100 ms");
  for (const auto& [name, row] : rows) print(name.c_str(), row);
  print("all", total);
  const auto images = static_cast<double>(step.images);
  for (size_t i = 0; i < 2; ++i) {
    std::printf("%s: at most %.0f images/s, %.0f predicted\n", kGpus[i].name,
                images / total.seconds[i], images / predicted[i]);
  }
  std::printf("\n");
}

// On an H100, in bf16. A ResNet-50's step with 128 images took 66.7 ms there; 58.9 are predicted.
paper_model::StepSeconds step_seconds(const std::string& arch, int64_t images) {
  paper_model::StepSeconds step;
  for (const Kernel& kernel : paper_model::step_work({arch, 224, images, Precision::bf16})) {
    const double seconds = 66.7 / 58.9 * predicted_seconds(kernel, kGpus[1]);
    step.all += seconds;
    const bool is_backward = kernel.name.find("backward") != std::string::npos;
    if (is_backward || kernel.name == "sum of gradients") step.backward += seconds;
  }
  return step;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string arch = count > 1 ? arguments[1] : "resnet50";
  const int64_t images = count > 2 ? std::atoll(arguments[2]) : 128;
  for (const auto& [precision, name] :
       {std::pair(Precision::bf16, "bf16"), {Precision::tf32, "tf32"}, {Precision::f32, "f32"}}) {
    print_step({arch, 224, images, precision}, name);
  }
  paper_model::print_scaling(arch, [&](int64_t n) { return step_seconds(arch, n); });
}
