// What a kernel needs to run on a device. Each thread has one context per device; tensors do not
// hold one.
//
// The device of some work is chosen in one of two ways:
//   - A kernel is a function overloaded on the context: relu_forward(CpuContext&, ...) is in
//     engine/cpu, relu_forward(CudaContext&, ...) in engine/cuda, and on_device() calls the
//     one for a device.
//   - Something that keeps state between calls (Allocator, Upload, Readback, Communicator) is an
//     abstract class, and a function such as make_upload(device) makes the one for a device.
#pragma once

#include <functional>
#include <utility>

#include "engine/device.h"
#include "engine/tensor.h"

namespace engine {

struct Profile;  // engine/profile.h

// Which kernels convolve in f32 on the CPU:
//   automatic                  the fastest known for the shapes, see engine/cpu/conv/algorithm.h
//   direct, winograd, library  this kind wherever it can, the library (oneDNN) elsewhere
//   reference                  the project's simple kernels, also for matrix products, which the
//                              other policies leave to the library
// f64 always uses the reference kernels.
enum class ConvPolicy : uint8_t { automatic, direct, winograd, library, reference };

struct CpuSettings {
  ConvPolicy conv_policy = ConvPolicy::automatic;
};

struct CpuCounters {
  int64_t reorders = 0;  // tensors whose layout was changed for a library kernel: 0 in steady state
  int64_t packings = 0;  // weights packed for a convolution kernel

  CpuCounters& operator+=(const CpuCounters& other) {
    const auto& [more_reorders, more_packings] = other;  // names every counter, or does not compile
    reorders += more_reorders;
    packings += more_packings;
    return *this;
  }
};

struct CpuContext {
  CpuSettings settings{};
  CpuCounters counters{};
  Profile* profile = nullptr;  // where kernels record their time, if anywhere
};

class CudaContext;  // engine/cuda

CpuContext& cpu_context();
CudaContext& cuda_context(int index);

// How the libraries of a CUDA device compute for the calling thread.
struct CudaSettings {
  // f32 products round their factors to 10 bits of mantissa (TF32) and run on tensor cores. Without
  // it they are exact to f32.
  bool tf32 = false;
  // Only algorithms that give the same bits in every run. The project's kernels always do.
  bool deterministic = false;
  // Times all candidates for a new shape instead of trusting a rule.
  bool benchmark = false;
};
void set_cuda(int index, const CudaSettings& settings);
// f for another thread, on which kernels then find the CUDA contexts of the calling thread. The two
// threads may not use them at the same time.
std::function<void()> with_cuda_contexts(std::function<void()> f);

// The layout in which kernels of `device` are fastest on an activation with this many channels.
Layout activation_layout(Device device, DType dtype, int64_t channels);

// The same for a parameter: on CUDA a convolution's weight [O,I,KH,KW] is stored as [O,KH,KW,I]
// (nhwc); everything else is plain.
Layout parameter_layout(Device device, const Shape& shape);

// Calls f with the context of the device:
//   on_device(x.device(), [&](auto& ctx) { relu_forward(ctx, x, y); });
template <class F>
decltype(auto) on_device(Device device, F&& f) {
  if constexpr (kHasCuda) {
    if (device.type == Device::Type::cuda) return f(cuda_context(device.index));
  }
  return f(cpu_context());
}

// Calls f with a value of the type f32 or f64, for kernels written as template <class T>:
//   for_float(x.dtype(), [&](auto zero) { using T = decltype(zero); ... });
template <class F>
decltype(auto) for_float(DType dtype, F&& f) {
  if (dtype == DType::f64) return f(double{});
  require(dtype == DType::f32, "expected a tensor of f32 or f64, found ", dtype);
  return f(float{});
}

}  // namespace engine
