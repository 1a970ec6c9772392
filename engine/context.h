// What a kernel needs to run on a device. One context per thread and device; never stored in
// tensors.
#pragma once

#include <utility>

#include "engine/device.h"
#include "engine/tensor.h"

namespace engine {

struct Profile;  // engine/profile.h

// Which kernels convolve in f32 on the CPU: the fastest known for the shapes (see
// engine/cpu/conv/algorithm.h), or one kind wherever it can. A shape that the own kernels do not
// take (groups, dilation, channels that do not fill blocks) always goes to the library.
enum class ConvPolicy : uint8_t { automatic, direct, winograd, library };

class CpuContext {
 public:
  // Channels a block of the activation layout: as many floats as a vector of the processor that
  // the program is built for holds, 16 (AVX-512) or 8.
  int64_t channel_block() const { return channel_block_; }

  // Library (oneDNN) or the project's plain kernels for convolution and matrix product in f32;
  // f64 is always plain.
  bool use_library = true;

  ConvPolicy conv_policy = ConvPolicy::automatic;

  // How often a tensor had to change layout in front of a library kernel: 0 in steady state.
  int64_t reorders = 0;

  // Where kernels note their time; null: nowhere.
  Profile* profile = nullptr;

  // How often a weight was packed for a convolution kernel.
  int64_t packings = 0;

 private:
  friend CpuContext& cpu_context();
  CpuContext();
  int64_t channel_block_;
};

class CudaContext;  // engine/cuda

CpuContext& cpu_context();
CudaContext& cuda_context(int index);

// How the libraries of a CUDA device compute for the calling thread.
struct CudaSettings {
  // f32 products round their factors to 10 bits of mantissa (TF32) and run on tensor cores. Without
  // it every product is exact to f32.
  bool tf32 = false;
  // Only algorithms that give the same bits in every run. Own kernels always do.
  bool deterministic = false;
  // New shapes are timed with all candidates, instead of trusting a rule.
  bool benchmark = false;
};
void set_cuda(int index, const CudaSettings& settings);

// The layout in which `device` wants an activation of this many channels.
Layout activation_layout(Device device, DType dtype, int64_t channels);

// The layout in which `device` wants a parameter: a convolution's weight [O,I,KH,KW] lies as OHWI
// on CUDA (nhwc), everything else is plain.
Layout parameter_layout(Device device, const Shape& shape);

// Calls f with the context of the device: on_device(x.device(), [&](auto& ctx) { relu_forward(ctx,
// x, y); });
template <class F>
decltype(auto) on_device(Device device, F&& f) {
  if constexpr (kHasCuda) {
    if (device.type == Device::Type::cuda) return f(cuda_context(device.index));
  }
  return f(cpu_context());
}

// Calls f with a value of the tensor's floating type, for kernels written as template <class T>:
// for_float(x.dtype(), [&](auto zero) { using T = decltype(zero); ... });
template <class F>
decltype(auto) for_float(DType dtype, F&& f) {
  if (dtype == DType::f64) return f(double{});
  require(dtype == DType::f32, "expected a tensor of f32 or f64, found ", dtype);
  return f(float{});
}

}  // namespace engine
