// Found before CUDA's header of the same name when a device source is compiled for the emulation.
// Includes that header, then defines the device language, which nvcc has built in.
#pragma once
#pragma GCC system_header  // #include_next is an extension

#include_next <cuda_runtime.h>

// Included before the language below: they have host versions of their own.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <device_launch_parameters.h>

#include "device_language.h"
