// Where the time of a run goes, kernel by kernel. Off unless a Profile is hung into the context.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "engine/context.h"

namespace engine {

// What the calls of one kernel came to. flops and bytes are those the formula needs, reading every
// input and writing every output once: the floor, not what was really moved.
struct KernelTotal {
  int64_t calls = 0;
  double seconds = 0.0;
  double flops = 0.0;
  double bytes = 0.0;
};

struct Profile {
  std::map<std::string, KernelTotal> kernels;
};

// The bytes of all tensors together; undefined ones have none.
template <class... Tensors>
double bytes_of(const Tensors&... tensors) {
  return (... + (tensors.defined() ? static_cast<double>(tensors.bytes()) : 0.0));
}

// Adds the time until it dies to the context's profile, where there is one.
class Timer {
 public:
  Timer(const CpuContext& ctx, std::string kernel, double bytes, double flops = 0.0)
      : profile_(ctx.profile), kernel_(std::move(kernel)), bytes_(bytes), flops_(flops) {
    if (profile_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  ~Timer() {
    if (profile_ == nullptr) return;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start_;
    KernelTotal& total = profile_->kernels[kernel_];
    ++total.calls;
    total.seconds += time.count();
    total.flops += flops_;
    total.bytes += bytes_;
  }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  Profile* profile_;
  std::string kernel_;
  double bytes_, flops_;
  std::chrono::steady_clock::time_point start_{};
};

}  // namespace engine
