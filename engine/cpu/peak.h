// What this machine can do at most, measured: the floors that kernels are held against.
#pragma once

namespace engine {

// Multiply-adds in registers on all OpenMP threads, in GFLOP/s; takes about `seconds`.
double measure_fma_gflops(double seconds = 0.1);

// Reading and writing float arrays much larger than any cache, in GB/s of both together.
double measure_memory_gbytes(double seconds = 0.2);

}  // namespace engine
