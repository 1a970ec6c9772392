// Where the time of a run goes, kernel by kernel. Nothing is recorded unless CpuContext::profile
// points to a Profile.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "engine/context.h"

namespace engine {

// All calls of one kernel together. flops and bytes are what the formula needs if every input is
// read and every output written once: a lower bound, not what was really moved.
struct KernelTotal {
  int64_t calls = 0;
  double seconds = 0.0;
  double flops = 0.0;
  double bytes = 0.0;

  KernelTotal& operator+=(const KernelTotal& other) {
    calls += other.calls;
    seconds += other.seconds;
    flops += other.flops;
    bytes += other.bytes;
    return *this;
  }
};

struct Profile {
  std::map<std::string, KernelTotal> kernels;
};

// The bytes of all tensors together; undefined ones count as 0.
template <class... Tensors>
double bytes_of(const Tensors&... tensors) {
  return (... + (tensors.defined() ? static_cast<double>(tensors.bytes()) : 0.0));
}

// Adds one call of a kernel, and the time from construction to destruction, to the context's
// profile if there is one.
class Timer {
 public:
  Timer(const CpuContext& ctx, std::string kernel, double bytes, double flops = 0.0)
      : profile_(ctx.profile), kernel_(std::move(kernel)), bytes_(bytes), flops_(flops) {
    if (profile_ != nullptr) start_ = std::chrono::steady_clock::now();
  }
  ~Timer() {
    if (profile_ == nullptr) return;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start_;
    profile_->kernels[kernel_] += {1, time.count(), flops_, bytes_};
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
