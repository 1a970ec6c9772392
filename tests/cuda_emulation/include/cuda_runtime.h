// Stands in front of CUDA's header of the same name where a device source is compiled for the
// emulation: the real header, then the device language that nvcc would know by itself.
#pragma once
#pragma GCC system_header  // #include_next is the compiler's own

#include_next <cuda_runtime.h>

// Before the language below: they have host versions of their own.
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <device_launch_parameters.h>

#include "device_language.h"
