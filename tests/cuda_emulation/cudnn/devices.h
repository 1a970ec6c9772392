// Device properties as cuDNN takes them, from NVIDIA's data sheets and the CUDA programming guide's
// table of compute capabilities.
#pragma once

namespace cuda_emulation {

// A100-SXM4-40GB: 108 multiprocessors of compute capability 8.0.
inline constexpr const char* kA100 = R"({
  "deviceName": "NVIDIA A100-SXM4-40GB", "deviceVer": 800, "driverVer": 13000, "cudaDeviceId": 0,
  "multiProcessorCount": 108, "smClockRateKHz": 1410000, "memClockRateKHz": 1215000,
  "totalGlobalMem": 42331013120, "l2CacheSize": 41943040, "warpSize": 32,
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
  "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "maxCtasPerSM": 32,
  "regsPerBlock": 65536, "maxRegistersPerSM": 65536,
  "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 166912,
  "reservedSharedMemoryPerBlock": 1024,
  "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1})";

// H100 SXM, 80 GB: 132 multiprocessors of compute capability 9.0.
inline constexpr const char* kH100 = R"({
  "deviceName": "NVIDIA H100 80GB HBM3", "deviceVer": 900, "driverVer": 13000, "cudaDeviceId": 0,
  "multiProcessorCount": 132, "smClockRateKHz": 1980000, "memClockRateKHz": 2619000,
  "totalGlobalMem": 85029158912, "l2CacheSize": 52428800, "warpSize": 32,
  "maxGridSize": [2147483647, 65535, 65535], "maxBlockSize": [1024, 1024, 64],
  "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "maxCtasPerSM": 32,
  "regsPerBlock": 65536, "maxRegistersPerSM": 65536,
  "maxSharedMemoryPerBlock": 49152, "maxSharedMemoryPerBlockOptin": 232448,
  "reservedSharedMemoryPerBlock": 1024,
  "pciDeviceId": 0, "isTccDriver": 0, "supportCoopLaunch": 1})";

}  // namespace cuda_emulation
