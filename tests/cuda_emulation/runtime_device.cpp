// Devices and errors.
#include <cuda_runtime_api.h>

#include <utility>

#include "tests/cuda_emulation/emulator.h"
#include "tests/cuda_emulation/runtime.h"
#include "tests/cuda_emulation/stream.h"

using namespace cuda_emulation;

namespace {

thread_local cudaError_t last_error = cudaSuccess;

}  // namespace

namespace cuda_emulation {

cudaError_t returned(cudaError_t error) {
  if (error == cudaSuccess) error = device_state();
  if (error != cudaSuccess) last_error = error;
  return error;
}

}  // namespace cuda_emulation

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  const Call call("cudaGetDeviceCount");
  if (call.fails) return returned(cudaErrorNoDevice);
  *count = kDevices;
  return returned(cudaSuccess);
}

cudaError_t cudaSetDevice(int device) {
  const Call call("cudaSetDevice");
  if (call.fails || device < 0 || device >= kDevices) return returned(cudaErrorInvalidDevice);
  set_current_device(device);
  return returned(cudaSuccess);
}

// Has so few multiprocessors that grid-stride loops take several turns even in small tests.
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  const Call call("cudaDeviceGetAttribute");
  if (call.fails || device < 0 || device >= kDevices) return returned(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMultiProcessorCount:
      *value = 2;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = 8;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = 0;
      break;
    default:
      return returned(cudaErrorInvalidValue);
  }
  return returned(cudaSuccess);
}

cudaError_t cudaDeviceSynchronize() {
  const Call call("cudaDeviceSynchronize");
  if (call.fails) return returned(cudaErrorLaunchFailure);
  finish_device(current_device());
  return returned(cudaSuccess);
}

cudaError_t cudaGetLastError() {
  const Call call("cudaGetLastError");
  return std::exchange(last_error, cudaSuccess);
}

const char* cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "cudaSuccess";
    case cudaErrorInvalidValue:
      return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation:
      return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration:
      return "cudaErrorInvalidConfiguration";
    case cudaErrorInvalidMemcpyDirection:
      return "cudaErrorInvalidMemcpyDirection";
    case cudaErrorNoDevice:
      return "cudaErrorNoDevice";
    case cudaErrorInvalidDevice:
      return "cudaErrorInvalidDevice";
    case cudaErrorInvalidResourceHandle:
      return "cudaErrorInvalidResourceHandle";
    case cudaErrorNotReady:
      return "cudaErrorNotReady";
    case cudaErrorIllegalAddress:
      return "cudaErrorIllegalAddress";
    case cudaErrorLaunchOutOfResources:
      return "cudaErrorLaunchOutOfResources";
    case cudaErrorLaunchFailure:
      return "cudaErrorLaunchFailure";
    default:
      return "another CUDA error";
  }
}

const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorIllegalAddress:
      return "an illegal memory access was encountered";
    default:
      return "error of the emulated CUDA";
  }
}

}  // extern "C"
